from pathlib import Path

import numpy as np
import pytest

from training.data.photos import DataError
from training.detector.photo_sets import POINTS, face_of, sources
from training.detector.pseudo_labels import TaughtPhotos


def test_a_face_is_made_of_an_annotation() -> None:
    points = np.zeros((49, 2))
    wanted = [[100, 100], [160, 100], [130, 140], [105, 170], [155, 170]]
    for place, rows in zip(wanted, POINTS, strict=True):
        points[list(rows)] = place
    face = face_of(points)
    assert face[4] == 1.0
    np.testing.assert_allclose(face[5:].reshape(5, 2), wanted)
    assert (face[:2] < 100).all()
    assert face[2] > 160
    assert face[3] > 170


def test_a_folder_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="celeba-wild"):
        sources(TaughtPhotos((), ()), tmp_path, tmp_path)
