import numpy as np
import pytest
from PIL import Image

from model.alignment import align, chip_template, similarity_transform
from model.detector.candidate_crops import crop_candidates
from model.detector.layout import CLOSE_SIZE, CROP_SIZE, close_template
from model.detector.levels import PhotoLevels

TEMPLATE = chip_template(CROP_SIZE)


def smooth_photo(width: int = 400, height: int = 300) -> np.ndarray:
    """A photo of soft stains, in which every place looks different."""
    cells = np.random.default_rng(0).integers(0, 256, (height // 40, width // 40, 3)).astype(np.uint8)
    return np.array(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC))


def landmarks_at(x: float, y: float, scale: float, degrees: float = 0.0, seed: int = 0) -> np.ndarray:
    """Landmarks (10,) of a face whose crop pixels are `scale` pixels of the photo, each a little beside its place."""
    turn = np.radians(degrees)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = (TEMPLATE - TEMPLATE.mean(axis=0)) @ linear.T + (x, y)
    return np.asarray((points + np.random.default_rng(seed).normal(0, scale, (5, 2))).ravel())


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.5, 4.5])
@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_crops_are_nearly_those_of_the_slower_alignment(scale: float, degrees: float) -> None:
    image, landmarks = smooth_photo(), landmarks_at(200, 150, scale, degrees)
    crops = crop_candidates(PhotoLevels(image), landmarks[None], TEMPLATE, CROP_SIZE)
    expected = align(image, landmarks.reshape(5, 2), TEMPLATE, CROP_SIZE)
    assert crops.pixels.shape == (1, CROP_SIZE, CROP_SIZE, 3)
    assert np.abs(crops.pixels[0].astype(int) - expected).mean() < 2.5
    np.testing.assert_allclose(crops.transforms[0], similarity_transform(TEMPLATE, landmarks.reshape(5, 2)))


def test_a_reduced_photo_gives_nearly_the_same_crop() -> None:
    image, landmarks = smooth_photo(), landmarks_at(200, 150, 4.5)
    expected = crop_candidates(PhotoLevels(image), landmarks[None], TEMPLATE, CROP_SIZE).pixels
    for factor in (2, 3, 4):
        photo = PhotoLevels(image)
        photo.reduced(factor)
        crops = crop_candidates(photo, landmarks[None], TEMPLATE, CROP_SIZE).pixels
        assert np.abs(crops.astype(int) - expected).mean() < 2.5


def test_points_in_the_crop_are_mapped_to_the_photo() -> None:
    landmarks = np.stack([landmarks_at(200, 150, 2.0, 25.0, 1), landmarks_at(90, 80, 0.7, -40.0, 2)])
    crops = crop_candidates(PhotoLevels(smooth_photo()), landmarks, TEMPLATE, CROP_SIZE)
    mapped = crops.to_photo(np.stack([TEMPLATE, TEMPLATE]))
    assert np.abs(mapped[0] - landmarks[0].reshape(5, 2)).max() < 8  # the landmarks are no exact similarity
    np.testing.assert_allclose(mapped.mean(axis=1), landmarks.reshape(2, 5, 2).mean(axis=1))


@pytest.mark.parametrize(("x", "y"), [(0, 150), (400, 150), (200, 0), (200, 300), (0, 0)])
def test_a_crop_is_black_outside_the_photo_or_continues_its_edge(x: float, y: float) -> None:
    image = np.full((300, 400, 3), 200, np.uint8)
    photo, landmarks, template = PhotoLevels(image), landmarks_at(x, y, 1.0)[None], close_template()
    black = crop_candidates(photo, landmarks, template, CLOSE_SIZE).pixels
    continued = crop_candidates(photo, landmarks, template, CLOSE_SIZE, continue_edges=True).pixels
    assert 0.3 < (black == 0).mean() < 0.8
    assert (continued == 200).all()


def test_inside_the_photo_there_is_no_edge_to_continue() -> None:
    photo, landmarks = PhotoLevels(smooth_photo()), landmarks_at(200, 150, 1.5, 25.0)[None]
    plain = crop_candidates(photo, landmarks, TEMPLATE, CROP_SIZE).pixels
    continued = crop_candidates(photo, landmarks, TEMPLATE, CROP_SIZE, continue_edges=True).pixels
    np.testing.assert_array_equal(plain, continued)


def test_the_continued_edge_is_the_nearest_pixels_of_the_photo() -> None:
    image = smooth_photo()
    landmarks = landmarks_at(0, 150, 1.0)[None]
    padded = np.pad(image, ((0, 0), (200, 0), (0, 0)), mode="edge")
    moved = landmarks + np.tile([200, 0], 5)
    expected = crop_candidates(PhotoLevels(padded), moved, TEMPLATE, CROP_SIZE).pixels
    found = crop_candidates(PhotoLevels(image), landmarks, TEMPLATE, CROP_SIZE, continue_edges=True).pixels
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_landmarks_that_coincide_and_places_outside_the_photo_give_black_crops() -> None:
    landmarks = np.stack([np.full(10, 50.0), landmarks_at(5000, 5000, 1.0)])
    crops = crop_candidates(PhotoLevels(smooth_photo()), landmarks, TEMPLATE, CROP_SIZE, continue_edges=True)
    assert crops.is_aligned.tolist() == [False, True]
    assert not crops.pixels.any()


def test_no_candidates_give_no_crops() -> None:
    crops = crop_candidates(PhotoLevels(smooth_photo()), np.zeros((0, 10)), TEMPLATE, CROP_SIZE)
    assert crops.pixels.shape == (0, CROP_SIZE, CROP_SIZE, 3)
    assert crops.to_photo(np.zeros((0, 5, 2))).shape == (0, 5, 2)
