import numpy as np
import pytest

from model.alignment import named_template
from model.detector.factory import open_detector
from model.images import Pixels
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.photos import Photo


@pytest.fixture(scope="session")
def served_crops(lfw: dict[str, Photo]) -> dict[str, Pixels]:
    """Crops of four photos of LFW as the service makes them, RGB uint8 (4, S, S, 3), for two templates."""
    names = sorted(lfw)[::4000]
    crops = {}
    for template, size in (("sface", 112), ("retail-0095", 128)):
        reader = PhotoReader(open_detector(), named_template(template, size), size)
        crops[template] = np.stack([reader.read(lfw[name].read(), FaceSelection.CENTRAL).crop for name in names])
    return crops
