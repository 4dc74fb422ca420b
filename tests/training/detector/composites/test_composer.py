from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from training.commands.detector import app
from training.data.photos import Photo
from training.detector.composites.composer import Composer, sheet, texture
from training.detector.config import CONFIG, CompositeConfig, load_detector_config
from training.detector.pseudo_labels import TaughtPhotos

POINTS = np.array([[70, 60], [110, 60], [90, 85], [75, 105], [105, 105]], np.float32)
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]], np.uint8)


@pytest.fixture
def taught(tmp_path: Path) -> TaughtPhotos:
    """Grey photos with a dot of its own colour on each landmark."""
    picture = np.full((180, 200, 3), 90, np.uint8)
    for (x, y), colour in zip(POINTS.astype(int), COLOURS, strict=True):
        picture[y - 4 : y + 4, x - 4 : x + 4] = colour
    Image.fromarray(picture).save(tmp_path / "a.png")
    face = np.concatenate([[50, 35, 130, 125], [1.0], POINTS.ravel()]).astype(np.float32)
    return TaughtPhotos((Photo("a/a.png", tmp_path / "a.png"),), (face[None],))


@pytest.fixture
def config() -> CompositeConfig:
    shipped = load_detector_config(CONFIG).composites
    plain = replace(shipped, empty=0, turned=0, covered=0, glasses=0, faceless=0)
    return replace(plain, size=128, grids=(1,), least_share=0.5, most_share=0.6)


def composer(taught: TaughtPhotos, config: CompositeConfig) -> Composer:
    return Composer(taught, config, 0.95, seed=1)


def test_landmarks_stay_on_their_places_however_the_photo_is_moved(
    taught: TaughtPhotos, config: CompositeConfig
) -> None:
    seen = mirrored = 0
    for number in range(40):
        made = composer(taught, config).composite(number)
        for face in made.faces:
            points = face[4:].reshape(5, 2)
            if not ((points > 3) & (points < 125)).all():
                continue
            seen += 1
            found = np.array([made.pixels[int(y), int(x)] for x, y in points]).astype(int)
            swapped = COLOURS[[1, 0, 2, 4, 3]]
            # Left is where the viewer's left is: in a mirrored photo the dots of left and right have changed places.
            distances = [np.abs(found - colours).max() for colours in (COLOURS.astype(int), swapped.astype(int))]
            assert min(distances) < 60
            mirrored += distances[1] < distances[0]
            assert (np.abs(points - [(face[0] + face[2]) / 2, (face[1] + face[3]) / 2]) < (face[2] - face[0])).all()
    assert seen > 15
    assert 0 < mirrored < seen


def test_the_same_number_is_the_same_composite(taught: TaughtPhotos, config: CompositeConfig) -> None:
    first, again = (composer(taught, config).composite(7) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.faces, again.faces)
    assert not np.array_equal(first.pixels, composer(taught, config).composite(8).pixels)


def test_faces_too_small_or_mostly_cut_off_are_unsure(taught: TaughtPhotos, config: CompositeConfig) -> None:
    tiny = composer(taught, replace(config, least_side=200.0)).composite(0)
    assert len(tiny.faces) == 0
    assert len(tiny.unsure) == 1
    for number in range(30):
        for face in composer(taught, config).composite(number).faces:
            inside = np.clip(face[:4], 0, 128)
            share = np.prod(inside[2:] - inside[:2]) / np.prod(face[2:4] - face[:2])
            assert share >= 0.5 - 1e-3


def test_an_empty_cell_shows_no_face(taught: TaughtPhotos, config: CompositeConfig) -> None:
    made = composer(taught, replace(config, empty=1.0, grids=(2,))).composite(0)
    assert len(made.faces) == len(made.unsure) == 0
    assert made.pixels.shape == (128, 128, 3)
    assert texture(np.random.default_rng(0), 30, 20).shape == (20, 30, 3)


def test_a_face_on_its_side_is_taught_as_none(taught: TaughtPhotos, config: CompositeConfig) -> None:
    turned = [composer(taught, replace(config, turned=1.0)).composite(number) for number in range(8)]
    assert all(len(made.faces) == len(made.unsure) == 0 for made in turned)
    dots = COLOURS.astype(int)[:, None, None]
    assert any((np.abs(made.pixels - dots).max(axis=-1) < 60).any(axis=(1, 2)).all() for made in turned)  # it is there


def test_a_background_is_part_of_a_picture_without_faces(taught: TaughtPhotos, config: CompositeConfig) -> None:
    green = np.zeros((50, 80, 3), np.uint8)
    green[..., 1] = 200
    only = replace(config, empty=1.0, faceless=1.0)
    made = Composer(taught, only, 0.95, seed=1, faceless=(green,)).composite(0)
    assert (made.pixels == [0, 200, 0]).all()


def test_what_covers_a_face_does_not_unmake_it(taught: TaughtPhotos, config: CompositeConfig) -> None:
    plain = composer(taught, config).composite(3)
    covered = composer(taught, replace(config, covered=1.0, glasses=1.0)).composite(3)
    np.testing.assert_array_equal(plain.faces, covered.faces)
    assert not np.array_equal(plain.pixels, covered.pixels)


def test_a_sheet_shows_every_composite(taught: TaughtPhotos, config: CompositeConfig) -> None:
    made = [composer(taught, config).composite(number) for number in range(5)]
    page = np.array(sheet(made))
    assert page.shape == (256, 512, 3)
    assert (page[:128, :128] != made[0].pixels).any()  # drawn upon
    assert not page[128:, 128:].any()  # there are no more


def test_the_commands_are_those_that_the_documents_name() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert "train" in result.output
    assert CliRunner().invoke(app, ["train", "--help"]).exit_code == 0
