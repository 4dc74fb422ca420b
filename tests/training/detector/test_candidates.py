from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from model.detector.yunet import YuNet
from model.images import Pixels
from tests.support.pictures import draw_spots, spot_centre
from tests.support.training.detections import NO_FACES, make_face
from training.data.photos import Photo
from training.detector.candidates import (
    MOST_PER_PHOTO,
    PATCH_SIZE,
    Candidates,
    collect_candidates,
    find_candidates,
    load_candidates,
)
from training.detector.pseudo_labels import LabelledPhotos

Rows = Sequence[NDArray[np.float32]]
SavePhotos = Callable[..., LabelledPhotos]
SIDE = 160  # pixels of a photo that is not reduced
NONE = LabelledPhotos((), ())


class FakeYuNet:
    """Finds in each photo what it was told, one list after another, and remembers the sizes of the photos."""

    def __init__(self, *found: Rows) -> None:
        self.found = iter(found)
        self.sizes: list[tuple[int, ...]] = []

    def __call__(self, images: Tensor, least_score: float) -> list[Tensor]:
        self.sizes.append(tuple(images.shape[1:3]))
        rows = next(self.found)
        return [torch.from_numpy(np.stack(rows) if len(rows) else NO_FACES.copy())]


def fake(*found: Rows) -> YuNet:
    return cast(YuNet, FakeYuNet(*found))


@pytest.fixture
def save_photos(tmp_path: Path) -> SavePhotos:
    """Saves images as photos of people, with the labels of each."""

    def save(*images: Pixels, labels: Sequence[Rows] = ()) -> LabelledPhotos:
        photos = []
        for number, image in enumerate(images):
            file = tmp_path / f"{number}-{image.sum()}.png"
            Image.fromarray(image).save(file)
            photos.append(Photo(f"p{number}/{file.name}", file))
        faces = [np.stack(rows) for rows in labels] or [NO_FACES] * len(photos)
        return LabelledPhotos(tuple(photos), tuple(faces))

    return save


def grey(side: int = SIDE) -> Pixels:
    return np.full((side, side, 3), 90, np.uint8)


def turn(face: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """A face of a square photo after one quarter turn counter-clockwise, as np.rot90 makes it."""
    points = np.concatenate([face[:4].reshape(2, 2), face[5:].reshape(5, 2)])
    turned = np.stack([points[:, 1], side - points[:, 0]], axis=1)
    corners = turned[:2]
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return np.concatenate([box, face[4:5], turned[2:].ravel()]).astype(np.float32)


def upright_at(face: NDArray[np.float32], score: float) -> NDArray[np.float32]:
    """An upright face in the middle of another face's box."""
    return make_face(float(face[[0, 2]].mean()), float(face[[1, 3]].mean()), float(face[2] - face[0]), score)


def test_faces_have_the_landmarks_of_their_labels_and_surroundings_are_no_faces(save_photos: SavePhotos) -> None:
    label, doubtful = make_face(40, 40, 50, 0.99), make_face(120, 40, 40, 0.9)
    found = [
        make_face(42, 40, 50, 0.9),  # the labelled face
        make_face(120, 40, 40, 0.1),  # the doubtful face
        make_face(40, 120, 30, 0.8),  # a face that the labels lack
        make_face(80, 120, 30, 0.5),  # may be anything
        make_face(120, 120, 30, 0.1),  # surroundings
    ]
    collected = collect_candidates(fake(found), save_photos(grey(), labels=[[label, doubtful]]), NONE, NONE)
    assert list(zip(collected.is_face.tolist(), collected.has_landmarks.tolist(), strict=True)) == [
        (True, True),
        (True, False),
        (False, False),
    ]


def test_a_face_that_only_the_finer_search_shows_is_a_hard_face_and_no_surroundings(save_photos: SavePhotos) -> None:
    side = 2 * SIDE
    coarse, fine = make_face(60, 60, 30, 0.1), make_face(120, 120, 60, 0.8)  # one place, at half and full resolution
    doubted = make_face(240, 60, 40, 0.8)  # by MTCNN; YuNet is half sure
    finer = [fine, make_face(240, 60, 40, 0.55), make_face(60, 250, 40, 0.55)]
    collected = collect_candidates(fake([coarse], finer), save_photos(grey(side), labels=[[doubted]]), NONE, NONE)
    assert list(zip(collected.is_face.tolist(), collected.has_landmarks.tolist(), strict=True)) == [(True, False)] * 2


def test_only_some_of_the_surroundings_of_a_photo_are_taken(save_photos: SavePhotos) -> None:
    found = [make_face(20 + 15 * number, 120, 12, 0.1) for number in range(8)]
    collected = collect_candidates(fake(found), save_photos(grey(), labels=[[make_face(40, 40, 50)]]), NONE, NONE)
    assert (~collected.is_face).sum() == MOST_PER_PHOTO


def test_landmarks_of_another_angle_are_no_face_in_a_turned_photo(save_photos: SavePhotos) -> None:
    label = make_face(40, 60, 50, 0.99)
    true = turn(label, SIDE)
    in_turned = [true, upright_at(true, 0.6), make_face(20, 20, 20, 0.5)]
    people = save_photos(grey(), grey(), labels=[[label], [label]])
    collected = collect_candidates(fake([], [], in_turned), people, NONE, NONE)
    # One label of each photo. The second photo is turned once: only the upright face at the face's place is none.
    assert collected.is_face.tolist() == [True, True, False]


def test_the_largest_clear_candidate_of_a_portrait_is_a_face(save_photos: SavePhotos) -> None:
    found = [make_face(20, 20, 20, 0.95), make_face(100, 100, 60, 0.5), make_face(80, 80, 150, 0.1)]
    image = draw_spots(found[1][5:].reshape(5, 2), SIDE, radius=2)
    collected = collect_candidates(fake(found, []), NONE, save_photos(image, grey()), NONE)
    assert collected.is_face.tolist() == [True]
    assert collected.has_landmarks.tolist() == [False]
    _assert_spots(collected)


def test_everything_found_on_photos_without_people_is_no_face(save_photos: SavePhotos) -> None:
    found = [make_face(40, 40, 40, 0.9), make_face(100, 100, 40, 0.05)]
    network = FakeYuNet(found, found[:1], [make_face(20 + 6 * number, 60, 40) for number in range(20)])
    collected = collect_candidates(cast(YuNet, network), NONE, NONE, save_photos(grey(2 * SIDE), grey()))
    assert sorted(network.sizes[:2]) == [(SIDE, SIDE), (2 * SIDE, 2 * SIDE)]  # two resolutions of the large one
    assert len(network.sizes) == 3
    assert len(collected) == 3 + 2 * MOST_PER_PHOTO
    assert not collected.is_face.any()
    assert not collected.has_landmarks.any()


def test_patches_show_the_candidate_where_its_landmarks_say(save_photos: SavePhotos) -> None:
    label = make_face(70, 80, 90)
    image = draw_spots(label[5:].reshape(5, 2), SIDE, radius=3)
    collected = collect_candidates(fake([]), save_photos(image, labels=[[label]]), NONE, NONE)
    assert collected.patches.shape == (1, PATCH_SIZE, PATCH_SIZE, 3)
    _assert_spots(collected)


def _assert_spots(collected: Candidates) -> None:
    for patch, landmarks in zip(collected.patches, collected.landmarks, strict=True):
        for x, y in landmarks.reshape(5, 2):
            np.testing.assert_allclose(spot_centre(patch, x, y, reach=6), [x, y], atol=0.5)


def test_candidates_are_found_in_the_reduced_photo_and_returned_in_its_pixels() -> None:
    face = make_face(40, 50, 30, 0.6)
    network = FakeYuNet([face])
    (found,) = find_candidates(cast(YuNet, network), np.zeros((200, 300, 3), np.uint8), factor=2)
    assert network.sizes == [(100, 150)]
    np.testing.assert_allclose(found[:4], 2 * face[:4])
    np.testing.assert_allclose(found[5:], 2 * face[5:])
    assert found[4] == face[4]


def test_yunet_finds_the_labelled_faces_of_lfw(yunet: YuNet, labelled: LabelledPhotos) -> None:
    some = LabelledPhotos(labelled.photos[:4], labelled.faces[:4])  # one of each orientation
    collected = collect_candidates(yunet, some, some, some)
    certain = sum(int((faces[:, 4] >= 0.95).sum()) for faces in some.faces)
    assert collected.has_landmarks.sum() == certain
    assert collected.is_face.sum() >= certain + 4  # and one of each portrait
    assert (~collected.is_face).sum() >= 4  # "without people" claims that every face is none


def test_saved_candidates_are_loaded_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    saved = Candidates(
        rng.integers(0, 256, (3, 4, 4, 3)).astype(np.uint8),
        rng.normal(size=(3, 10)).astype(np.float32),
        np.array([True, False, True]),
        np.array([False, False, True]),
    )
    target = tmp_path / "new folder" / "candidates.npz"
    saved.save(target)
    loaded = load_candidates(target)
    assert len(loaded) == 3
    for name in ("patches", "landmarks", "is_face", "has_landmarks"):
        before, after = getattr(saved, name), getattr(loaded, name)
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)
    assert [path.name for path in target.parent.iterdir()] == ["candidates.npz"]
