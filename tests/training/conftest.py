import numpy as np
import pytest

from tests.support.training.textures import person_names
from training.data.prepared_faces import PreparedFaces


@pytest.fixture(scope="session")
def faces() -> PreparedFaces:
    """Four noisy photos of each person; each person is a random texture."""
    rng = np.random.default_rng(0)
    names, crops = [], []
    for person in (*person_names("t", 16), *person_names("v", 10), *person_names("c", 30), *person_names("x", 20)):
        coarse = rng.integers(30, 225, (5, 5, 3)).repeat(8, axis=0).repeat(8, axis=1)
        for photo in range(4):
            crops.append((coarse + rng.normal(0, 25, coarse.shape)).clip(0, 255).astype(np.uint8))
            names.append(f"{person}/{person}_{photo + 1:04d}.jpg")
    landmarks = np.zeros((len(names), 5, 2), np.float32)
    missing = {"x00/x00_0009.jpg": "no face"}
    return PreparedFaces(tuple(names), np.stack(crops), landmarks, missing, "none", margin=4)
