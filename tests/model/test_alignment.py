import numpy as np
import pytest

from model.alignment import CHIP_TEMPLATE, align, chip_template, similarity_transform, template_for


def marked(points: np.ndarray, size: int, radius: float) -> np.ndarray:
    """A grey photo with a soft spot of light exactly on each point."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) + 0.5
    light = np.full((size, size), 60.0, np.float32)
    for left, top in points:
        light += 190 * np.exp(-((x - left) ** 2 + (y - top) ** 2) / (2 * radius**2))
    return light.clip(0, 255).round().astype(np.uint8)[..., None].repeat(3, axis=2)


def centre_near(crop: np.ndarray, x: float, y: float, reach: int = 7) -> np.ndarray:
    """The centre of light around a place, in continuous pixel coordinates."""
    left, top = int(x) - reach, int(y) - reach
    patch = crop[top : top + 2 * reach, left : left + 2 * reach, 0].astype(float) - 60
    patch[patch < 20] = 0
    ys, xs = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]] + 0.5
    return np.array([(patch * xs).sum() / patch.sum() + left, (patch * ys).sum() / patch.sum() + top])


def test_the_similarity_transform_finds_a_known_rotation_scale_and_shift() -> None:
    source = np.array([[0.0, 0], [2, 0], [0, 1], [3, 5]])
    angle, scale = 0.7, 1.8
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = similarity_transform(source, source @ rotation.T + [4, -7])
    np.testing.assert_allclose(found, np.hstack([rotation, [[4], [-7]]]), atol=1e-12)


def test_the_similarity_transform_never_mirrors() -> None:
    source = np.array([[0.0, 0], [2, 0], [0, 1]])
    found = similarity_transform(source, source * [-1, 1])
    assert np.linalg.det(found[:, :2]) > 0


def test_coinciding_landmarks_are_refused() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.ones((5, 2)), np.zeros((5, 2)))


@pytest.mark.parametrize("scale", [0.6, 1.3, 4.0, 9.5])
@pytest.mark.parametrize("degrees", [0, 25, 90, -160])
def test_landmarks_come_to_lie_on_the_template_at_any_size_and_angle(scale: float, degrees: float) -> None:
    template = chip_template(96)
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (template - 48) @ rotation.T * scale + 520
    crop = align(marked(landmarks, 1040, radius=2 * scale), landmarks, template, 96)
    assert crop.shape == (96, 96, 3)
    for x, y in template:
        np.testing.assert_allclose(centre_near(crop, x, y), [x, y], atol=0.2)


def test_what_lies_outside_the_photo_is_black() -> None:
    template = chip_template(96)
    photo = np.full((96, 96, 3), 200, np.uint8)
    crop = align(photo, template - 48, template, 96)  # the photo's content moves right and down by half the crop
    assert (crop[:40] == 0).all()
    assert (crop[56:, 56:] > 190).all()


def test_a_face_wholly_outside_the_photo_gives_a_black_crop() -> None:
    template = chip_template(96)
    assert (align(np.full((50, 50, 3), 200, np.uint8), template + 5000, template, 96) == 0).all()


@pytest.mark.parametrize("scale", [1.2, 3.7])
def test_a_crop_with_surroundings_holds_the_plain_crop_in_its_middle(scale: float) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (500, 500, 3), dtype=np.uint8)
    template = chip_template(96)
    for landmarks in np.random.default_rng(1).normal(template * scale + 60, 3, (20, 5, 2)):
        wide = align(photo, landmarks.astype(np.float32), template + 16, 128)
        plain = align(photo, landmarks.astype(np.float32), template, 96)
        np.testing.assert_array_equal(wide[16:-16, 16:-16], plain)


def test_a_detector_whose_landmarks_lie_elsewhere_gets_a_template_moved_as_much() -> None:
    moved = np.array(CHIP_TEMPLATE)
    moved[2] += (3.0, -1.5)
    np.testing.assert_allclose(template_for(np.array(CHIP_TEMPLATE), chip_template(96) + 4), chip_template(96) + 4)
    difference = template_for(moved, chip_template(300) + 4) - (chip_template(300) + 4)
    np.testing.assert_allclose(difference, [[0, 0], [0, 0], [6, -3], [0, 0], [0, 0]], atol=1e-9)
