import numpy as np
import pytest

from model.alignment import (
    CHIP_TEMPLATE,
    TEMPLATES,
    adapt_template,
    align,
    chip_template,
    name_template,
    named_template,
    similarity_transform,
    widen,
)
from tests.support.pictures import draw_spots, spot_centre


def test_similarity_transform_recovers_rotation_scale_and_translation() -> None:
    source = np.array([[0.0, 0], [2, 0], [0, 1], [3, 5]])
    angle, scale = 0.7, 1.8
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = similarity_transform(source, source @ rotation.T + [4, -7])
    np.testing.assert_allclose(found, np.hstack([rotation, [[4], [-7]]]), atol=1e-12)


def test_similarity_transform_never_reflects() -> None:
    source = np.array([[0.0, 0], [2, 0], [0, 1]])
    found = similarity_transform(source, source * [-1, 1])
    assert np.linalg.det(found[:, :2]) > 0


def test_similarity_transform_rejects_coinciding_points() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.ones((5, 2)), np.zeros((5, 2)))


@pytest.mark.parametrize("scale", [0.6, 1.3, 4.0, 9.5])
@pytest.mark.parametrize("degrees", [0, 25, 90, -160])
def test_align_maps_landmarks_to_the_template_at_any_scale_and_angle(scale: float, degrees: float) -> None:
    template = chip_template(96)
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (template - 48) @ rotation.T * scale + 520
    crop = align(draw_spots(landmarks, 1040, radius=2 * scale), landmarks, template, 96)
    assert crop.shape == (96, 96, 3)
    for x, y in template:
        np.testing.assert_allclose(spot_centre(crop, x, y), [x, y], atol=0.2)


def test_crop_is_black_outside_the_photo() -> None:
    template = chip_template(96)
    photo = np.full((96, 96, 3), 200, np.uint8)
    crop = align(photo, template - 48, template, 96)  # shifts the photo right and down by half the crop
    assert (crop[:40] == 0).all()
    assert (crop[56:, 56:] > 190).all()


def test_crop_of_a_face_outside_the_photo_is_black() -> None:
    template = chip_template(96)
    assert (align(np.full((50, 50, 3), 200, np.uint8), template + 5000, template, 96) == 0).all()


@pytest.mark.parametrize("scale", [1.2, 3.7])
def test_pixels_do_not_depend_on_the_margin_around_the_crop(scale: float) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (500, 500, 3), dtype=np.uint8)
    template = chip_template(96)
    for landmarks in np.random.default_rng(1).normal(template * scale + 60, 3, (20, 5, 2)):
        wide = align(photo, landmarks.astype(np.float32), template + 16, 128)
        plain = align(photo, landmarks.astype(np.float32), template, 96)
        np.testing.assert_array_equal(wide[16:-16, 16:-16], plain)


def test_adapt_template_shifts_the_template_by_the_reference_landmarks() -> None:
    moved = np.array(CHIP_TEMPLATE)
    moved[2] += (3.0, -1.5)
    np.testing.assert_allclose(adapt_template(np.array(CHIP_TEMPLATE), chip_template(96) + 4), chip_template(96) + 4)
    difference = adapt_template(moved, chip_template(300) + 4) - (chip_template(300) + 4)
    np.testing.assert_allclose(difference, [[0, 0], [0, 0], [6, -3], [0, 0], [0, 0]], atol=1e-9)


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_is_found_again_by_its_positions(name: str) -> None:
    assert name_template(named_template(name, 120).round(2), 120) == name
    eyes = named_template(name, 120)[:2]
    assert eyes[0, 0] < 60 < eyes[1, 0]


def test_other_positions_are_no_known_template() -> None:
    with pytest.raises(ValueError, match="none of dlib, sface, retail-0095"):
        name_template(named_template("dlib", 120) + 5, 120)


def test_a_face_that_fits_the_template_is_cut_as_before() -> None:
    template = chip_template(100)
    np.testing.assert_allclose(widen(template, 3 * template[:, ::-1] * [-1, 1] + 7), template, atol=1e-6)


def test_a_turned_face_is_cut_wider_about_the_same_middle() -> None:
    template = chip_template(100)
    turned = (template - template.mean(axis=0)) * [0.5, 1.0]  # by 60 degrees
    widened = widen(template, turned)
    np.testing.assert_allclose(widened.mean(axis=0), template.mean(axis=0))
    shrunk = np.ptp(widened, axis=0) / np.ptp(template, axis=0)
    np.testing.assert_allclose(shrunk, shrunk[0])
    assert 0.7 < shrunk[0] < 0.9  # close to a crop as large as that of the same face seen from the front
    with pytest.raises(ValueError, match="coincide"):
        widen(template, np.zeros((5, 2)))
