from pathlib import Path

import numpy as np
import pytest

from tests.support.training.photo_folders import write_crowds
from training.data.errors import DataError
from training.detector.metrics import MATCHED_SCORE, REQUIRED_SCORE, compare_with_labels
from training.detector.wider_face import load_boxes


@pytest.fixture
def crowds(tmp_path: Path) -> Path:
    return write_crowds(tmp_path / "wider-val")


def test_boxes_are_read_for_the_photos_that_are_there(crowds: Path) -> None:
    labels = load_boxes(crowds)
    names = ["0--Parade/crowd.jpg", "0--Parade/empty.jpg", "1--Handshaking/pair.jpg"]
    assert [photo.name for photo in labels.photos] == names
    assert [len(faces) for faces in labels.faces] == [5, 0, 1]  # without the box that is empty
    assert labels.faces[2][0, :4].tolist() == [5, 6, 75, 86]
    assert labels.decode(2).shape == (20, 20, 3)


def test_small_invalid_and_hidden_faces_need_not_be_found(crowds: Path) -> None:
    crowd = load_boxes(crowds).faces[0]
    assert (crowd[:, 4] >= REQUIRED_SCORE).tolist() == [True, False, False, False, True]
    assert (crowd[:, 4] >= MATCHED_SCORE).all()  # but if they are, they are not false


def test_boxes_have_no_landmarks_to_compare(crowds: Path) -> None:
    faces = load_boxes(crowds).faces[2]
    found = faces.copy()
    found[:, 5:] = 40
    metrics = compare_with_labels([found], [faces], 0.5)
    assert (metrics.faces, metrics.recall, metrics.false_positives) == (1, 1, 0)
    assert np.isnan(metrics.landmark_error)


def test_boxes_without_photos_are_refused(crowds: Path) -> None:
    for photo in crowds.glob("images/*/*"):
        photo.unlink()
    with pytest.raises(DataError, match="holds no photos"):
        load_boxes(crowds)


def test_every_other_photo_is_read_from_any_on(crowds: Path) -> None:
    assert [photo.name for photo in load_boxes(crowds, 2).photos] == ["0--Parade/crowd.jpg", "1--Handshaking/pair.jpg"]
    later = load_boxes(crowds, 2, 1)
    assert [photo.name for photo in later.photos] == ["0--Parade/empty.jpg"]
    assert [len(faces) for faces in later.faces] == [0]
