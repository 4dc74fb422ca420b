from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from model.encoder.bundle import Bundle
from model.encoder.encoding import Encoding
from training.data.prepared_faces import CROPS, PreparedFaces, load_prepared, write_index
from training.evaluation.embeddings import embed

SIZE, PHOTOS = 4, 5
RECIPE = {"detector": "fake", "margin": 0, "alignment": "first"}


class CountingEncoder:
    """Stands for a bundle: the vector of a crop is its first pixel. Counts the crops that it encodes."""

    def __init__(self, judges: bool, encoder_id: str = "a" * 64) -> None:
        self.metadata = SimpleNamespace(crop_size=SIZE, embedding_dim=3, encoder_id=encoder_id, name="fake")
        self.judges, self.encoded = judges, 0

    def encode(self, crops: NDArray[np.uint8]) -> Encoding:
        self.encoded += len(crops)
        vectors = crops[:, 0, 0].astype(np.float32)
        return Encoding(vectors, (vectors[:, 0] / 255).astype(np.float32) if self.judges else None)


def write_faces(folder: Path, recipe: dict[str, object]) -> PreparedFaces:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / CROPS, np.random.default_rng(0).integers(0, 255, (PHOTOS, SIZE, SIZE, 3), np.uint8))
    write_index(folder, recipe, [f"{n}/1.jpg" for n in range(PHOTOS)], {}, [[[0.0, 0.0]] * 5] * PHOTOS)
    return load_prepared(folder)


@pytest.mark.parametrize("judges", [True, False])
def test_a_crop_is_encoded_once_by_each_encoder(tmp_path: Path, judges: bool) -> None:
    faces, encoder = write_faces(tmp_path, RECIPE), CountingEncoder(judges)
    embed(cast(Bundle, encoder), faces, np.array([1, 3]))
    encoding = embed(cast(Bundle, encoder), faces, np.array([3, 2, 1]))
    assert encoder.encoded == 3
    np.testing.assert_array_equal(encoding.vectors, faces.crops[[3, 2, 1], 0, 0])
    assert (encoding.recognizability is not None) == judges
    other = CountingEncoder(judges, "b" * 64)
    embed(cast(Bundle, other), faces, np.array([1]))
    assert other.encoded == 1


def test_crops_of_another_recipe_in_the_same_folder_are_encoded_again(tmp_path: Path) -> None:
    encoder = CountingEncoder(judges=True)
    embed(cast(Bundle, encoder), write_faces(tmp_path, RECIPE), np.arange(PHOTOS))
    embed(cast(Bundle, encoder), write_faces(tmp_path, {**RECIPE, "alignment": "second"}), np.arange(PHOTOS))
    assert encoder.encoded == 2 * PHOTOS
