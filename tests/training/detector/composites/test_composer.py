from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.photos import Photo
from training.detector.composites.composer import Composer
from training.detector.config import LOCATOR_CONFIG, CompositeConfig, load_detector_config
from training.detector.pseudo_labels import LabelledPhotos

POINTS = np.array([[70, 60], [110, 60], [90, 85], [75, 105], [105, 105]], np.float32)
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]], np.uint8)


@pytest.fixture
def labels(tmp_path: Path) -> LabelledPhotos:
    """A grey photo with a dot on each landmark, each in its own colour."""
    picture = np.full((180, 200, 3), 90, np.uint8)
    for (x, y), colour in zip(POINTS.astype(int), COLOURS, strict=True):
        picture[y - 4 : y + 4, x - 4 : x + 4] = colour
    Image.fromarray(picture).save(tmp_path / "a.png")
    face = np.concatenate([[50, 35, 130, 125], [1.0], POINTS.ravel()]).astype(np.float32)
    return LabelledPhotos((Photo("a/a.png", tmp_path / "a.png"),), (face[None],))


@pytest.fixture
def config() -> CompositeConfig:
    shipped = load_detector_config(LOCATOR_CONFIG).composites
    plain = replace(shipped, empty=0, turned=0, covered=0, glasses=0, faceless=0)
    return replace(plain, size=128, grids=(1,), least_share=0.5, most_share=0.6)


def new_composer(labels: LabelledPhotos, config: CompositeConfig) -> Composer:
    return Composer(labels, config, least_score=0.95, seed=1)


def test_labels_follow_the_photo_when_it_is_transformed(labels: LabelledPhotos, config: CompositeConfig) -> None:
    checked = mirrored = 0
    for number in range(40):
        composite = new_composer(labels, config).compose(number)
        for face in composite.faces:
            points = face[4:].reshape(5, 2)
            if not ((points > 3) & (points < 125)).all():
                continue
            checked += 1
            found = np.array([composite.pixels[int(y), int(x)] for x, y in points]).astype(int)
            swapped = COLOURS[[1, 0, 2, 4, 3]]
            # Left is the viewer's left, so mirroring a photo swaps the dots of left and right.
            distances = [np.abs(found - colours).max() for colours in (COLOURS.astype(int), swapped.astype(int))]
            assert min(distances) < 60
            mirrored += distances[1] < distances[0]
            assert (np.abs(points - [(face[0] + face[2]) / 2, (face[1] + face[3]) / 2]) < (face[2] - face[0])).all()
    assert checked > 15
    assert 0 < mirrored < checked


def test_a_composite_depends_on_its_number_only(labels: LabelledPhotos, config: CompositeConfig) -> None:
    first, again = (new_composer(labels, config).compose(7) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.faces, again.faces)
    assert not np.array_equal(first.pixels, new_composer(labels, config).compose(8).pixels)


def test_faces_that_are_too_small_or_mostly_cropped_are_ignored(
    labels: LabelledPhotos, config: CompositeConfig
) -> None:
    too_small = new_composer(labels, replace(config, least_side=200.0)).compose(0)
    assert len(too_small.faces) == 0
    assert len(too_small.ignored) == 1
    for number in range(30):
        for face in new_composer(labels, config).compose(number).faces:
            visible = np.clip(face[:4], 0, 128)
            share = np.prod(visible[2:] - visible[:2]) / np.prod(face[2:4] - face[:2])
            assert share >= 0.5 - 1e-3


def test_an_empty_cell_has_no_labels(labels: LabelledPhotos, config: CompositeConfig) -> None:
    composite = new_composer(labels, replace(config, empty=1.0, grids=(2,))).compose(0)
    assert len(composite.faces) == len(composite.ignored) == 0
    assert composite.pixels.shape == (128, 128, 3)


def test_a_face_on_its_side_is_background(labels: LabelledPhotos, config: CompositeConfig) -> None:
    composites = [new_composer(labels, replace(config, turned=1.0)).compose(number) for number in range(8)]
    assert all(len(composite.faces) == len(composite.ignored) == 0 for composite in composites)
    dots = COLOURS.astype(int)[:, None, None]
    has_face = [(np.abs(each.pixels - dots).max(axis=-1) < 60).any(axis=(1, 2)).all() for each in composites]
    assert any(has_face)


def test_a_background_is_part_of_a_picture_without_faces(labels: LabelledPhotos, config: CompositeConfig) -> None:
    green = np.zeros((50, 80, 3), np.uint8)
    green[..., 1] = 200
    faceless_only = replace(config, empty=1.0, faceless=1.0)
    composite = Composer(labels, faceless_only, 0.95, seed=1, faceless=(green,)).compose(0)
    assert (composite.pixels == [0, 200, 0]).all()


def test_a_covered_face_keeps_its_label(labels: LabelledPhotos, config: CompositeConfig) -> None:
    plain = new_composer(labels, config).compose(3)
    covered = new_composer(labels, replace(config, covered=1.0, glasses=1.0)).compose(3)
    np.testing.assert_array_equal(plain.faces, covered.faces)
    assert not np.array_equal(plain.pixels, covered.pixels)
