from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.errors import DataError
from training.detector.photo_sets import LANDMARK_POINTS, face_from_points, load_annotated, load_photo_sets
from training.detector.pseudo_labels import LabelledPhotos


def make_points(landmarks: list[list[int]]) -> np.ndarray:
    points = np.zeros((49, 2))
    for landmark, rows in zip(landmarks, LANDMARK_POINTS, strict=True):
        points[list(rows)] = landmark
    return points


def test_points_become_a_face_with_a_box() -> None:
    landmarks = [[100, 100], [160, 100], [130, 140], [105, 170], [155, 170]]
    face = face_from_points(make_points(landmarks))
    assert face[4] == 1.0
    np.testing.assert_allclose(face[5:].reshape(5, 2), landmarks)
    assert (face[:2] < 100).all()
    assert face[2] > 160
    assert face[3] > 170


@pytest.fixture
def annotated(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with one photo, and a folder for its points."""
    photos, points = tmp_path / "photos", tmp_path / "points"
    photos.mkdir()
    points.mkdir()
    Image.new("RGB", (20, 20)).save(photos / "a.jpg")
    return photos, points


def test_annotated_photos_get_the_face_of_their_points(annotated: tuple[Path, Path]) -> None:
    photos, points = annotated
    np.savetxt(points / "a.txt", make_points([[10, 10], [16, 10], [13, 14], [10, 17], [15, 17]]))
    labels = load_annotated(photos, points, every=1)
    assert [faces.shape for faces in labels.faces] == [(1, 15)]


@pytest.mark.parametrize("content", [None, "", "left right", "1 2\n3 4"])
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_points_that_are_missing_or_malformed_are_named(annotated: tuple[Path, Path], content: str | None) -> None:
    photos, points = annotated
    if content is not None:
        (points / "a.txt").write_text(content)
    with pytest.raises(DataError, match=r"a\.txt.*49 lines"):
        load_annotated(photos, points, every=1)


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="celeba-wild does not exist"):
        load_photo_sets(LabelledPhotos((), ()), tmp_path, tmp_path)
