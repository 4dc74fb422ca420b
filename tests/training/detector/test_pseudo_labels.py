from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.data.errors import DataError
from training.data.photos import Photo
from training.detector.pseudo_labels import FACE_VALUES, LabelledPhotos, pseudo_label


def test_every_photo_of_lfw_gets_a_face(labelled: LabelledPhotos) -> None:
    for faces in labelled.faces:
        assert faces[:, 4].max() > 0.95
        best = faces[faces[:, 4].argmax()]
        assert best[5] < best[7]  # the left eye is on the left


def test_labels_are_selected_by_person(labelled: LabelledPhotos) -> None:
    people = frozenset({labelled.photos[0].person})
    selected = labelled.of_people(people)
    assert {photo.person for photo in selected.photos} == people
    assert len(selected) == len(selected.faces) < len(labelled)


def test_labels_are_read_again_for_the_same_photos_only(lfw: dict[str, Photo], tmp_path: Path) -> None:
    photos, target = list(lfw.values())[:2], tmp_path / "labels.json"
    made = pseudo_label(photos, target, workers=1)
    again = pseudo_label(photos, target)
    assert [faces.tolist() for faces in again.faces] == [faces.tolist() for faces in made.faces]
    with pytest.raises(DataError, match="other photos"):
        pseudo_label(photos[:1], target)
    replaced = replace(photos[0], file=photos[1].file, offset=photos[1].offset, size=photos[1].size)
    with pytest.raises(DataError, match="other photos"):
        pseudo_label([replaced, photos[1]], target)


@pytest.mark.parametrize("content", ["", "[]", '{"photos": []}'])
def test_a_damaged_file_of_labels_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(DataError, match=r"labels\.json does not hold pseudo-labels"):
        pseudo_label([], tmp_path / "labels.json")


def test_a_photo_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"not a photo")
    labels = LabelledPhotos((Photo("a/a.jpg", tmp_path / "a.jpg"),), (np.zeros((0, FACE_VALUES), np.float32),))
    with pytest.raises(DataError, match=r"a/a\.jpg"):
        labels.decode(0)
