import cv2
import numpy as np
import pytest

from model.face import Face
from model.liveness.surroundings import BoxCorrection, CropRule, find_region, resize_bilinear, to_whole_pixels


def face(*box: float, rotation: int = 0) -> Face:
    return Face(np.array(box, np.float32), np.zeros((5, 2), np.float32), 1.0, rotation)


def gradient(width: int, height: int) -> np.ndarray:
    """Red rises to the right, green downwards."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, 0 * x], axis=-1).astype(np.uint8)


def test_a_region_has_so_many_sides_of_the_box_around_its_centre() -> None:
    assert find_region(1000, 800, (400, 300, 100, 120), 2.0) == (350, 240, 550, 480)


def test_a_region_that_would_leave_the_image_is_moved_inside() -> None:
    assert find_region(1000, 800, (0, 300, 100, 100), 2.0) == (0, 250, 200, 450)
    left, top, right, bottom = find_region(1000, 800, (900, 700, 100, 100), 2.0)
    assert (right, bottom) == (999, 799)
    assert (left, top) == (799, 599)


def test_a_region_that_would_be_larger_than_the_image_is_scaled_down() -> None:
    left, top, right, bottom = find_region(300, 200, (100, 50, 100, 100), 4.0)
    assert (top, bottom) == (0, 199)
    assert right - left == pytest.approx(199, abs=1)


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (700, 2)])
@pytest.mark.parametrize("box", [(0, 0, 1, 1), (-40, -30, 20, 20), (0, 0, 4000, 4000), (690, 690, 50, 50)])
def test_a_region_never_leaves_the_image(shape: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    height, width = shape
    left, top, right, bottom = find_region(width, height, box, 2.7)
    assert 0 <= left <= right < width
    assert 0 <= top <= bottom < height


def test_boxes_are_rounded_as_the_authors_code_rounds_them() -> None:
    assert to_whole_pixels(np.array([72.77, 82.39, 176.76, 193.35])) == (72, 82, 104, 111)  # reference_answers.json


@pytest.mark.parametrize("shape", [(80, 80), (160, 160), (37, 61), (200, 133), (601, 77), (1, 1)])
def test_resizing_is_that_of_opencv(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    expected = cv2.resize(image, (80, 80), interpolation=cv2.INTER_LINEAR)
    assert np.abs(resize_bilinear(image, 80).astype(int) - expected).max() <= 1


def test_a_correction_moves_the_centre_and_scales_the_sides() -> None:
    corrected = BoxCorrection(right=0.1, down=-0.2, width=2.0, height=0.5).apply(np.array([[10, 10, 20, 30]]))
    np.testing.assert_allclose(corrected, [[6, 11, 26, 21]])


def test_each_scale_gives_one_crop_around_the_face() -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    image[180:220, 180:220] = 255  # fills the face's box
    crops = CropRule((1.0, 4.0), 80, BoxCorrection()).cut(image, face(180, 180, 220, 220))
    assert crops.shape == (2, 80, 80, 3)
    assert crops[0].mean() == pytest.approx(255 * (40 / 42) ** 2, rel=0.02)  # the authors' box is a pixel larger
    assert crops[1].mean() == pytest.approx(255 / 16, rel=0.15)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_face_that_was_found_in_a_rotated_photo_is_cut_upright(rotation: int) -> None:
    upright, rule = gradient(300, 200), CropRule((1.5,), 80, BoxCorrection(down=0.1, height=0.8))
    expected = rule.cut(upright, face(120, 60, 180, 140))
    as_sent = np.rot90(upright, -rotation // 90)  # the service turns it counter-clockwise
    boxes = {90: (60, 120, 140, 180), 180: (120, 60, 180, 140), 270: (60, 120, 140, 180)}
    corner = {90: (200 - 140, 120), 180: (300 - 180, 200 - 140), 270: (60, 300 - 180)}[rotation]
    width, height = (boxes[rotation][2] - boxes[rotation][0]), (boxes[rotation][3] - boxes[rotation][1])
    box = (*corner, corner[0] + width, corner[1] + height)
    np.testing.assert_array_equal(rule.cut(as_sent, face(*box, rotation=rotation)), expected)
