from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from model.alignment import CHIP_TEMPLATE
from model.detector.factory import open_detector
from model.detector.orientation import detect_any_orientation
from model.face import Face, FaceDetector
from model.images import decode_image
from tests.support.fakes import landscape
from training.data.photos import Photo

PHOTO = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg"
TILTED = (PHOTO, "AJ_Cook/AJ_Cook_0001.jpg", "Zico/Zico_0001.jpg")

# Of scikit-image. The other pictures show people (astronaut, camera), heads on coins (coins), or are no photos.
WITHOUT_PEOPLE = (
    *("brick.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png", "color.png", "grass.png"),
    *("gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "logo.png", "moon.png", "motorcycle_left.png"),
    *("page.png", "retina.jpg", "rocket.jpg", "text.png"),
)


class CornerDetector:
    """Finds one face if the top left corner of the image is white, and none otherwise."""

    name = "corner"
    reference_landmarks = np.array(CHIP_TEMPLATE)
    sure_score = 0.8
    turned_score = 0.95
    choices = ()

    def __init__(self, score: float = 0.99) -> None:
        self._score = score

    def detect(self, image: np.ndarray, reduced_by: int = 1) -> list[Face]:
        if image[:10, :10].min() < 200:
            return []
        box = np.array([0, 0, 10, 8], np.float32)
        points = np.array([[2, 2], [7, 2], [4, 4], [2, 6], [7, 6]], np.float32)
        return [Face(box, points, self._score)]


@pytest.mark.parametrize(
    ("corner", "rotation", "box"),
    [
        ((0, 0), 0, [0, 0, 10, 8]),
        ((0, 1), 90, [52, 0, 60, 10]),
        ((1, 1), 180, [50, 32, 60, 40]),
        ((1, 0), 270, [0, 30, 8, 40]),
    ],
)
def test_a_face_in_a_rotated_photo_has_coordinates_of_the_photo_as_given(
    corner: tuple[int, int], rotation: int, box: list[float]
) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    rows = slice(0, 12) if corner[0] == 0 else slice(28, 40)
    columns = slice(0, 12) if corner[1] == 0 else slice(48, 60)
    image[rows, columns] = 255
    (face,) = detect_any_orientation(CornerDetector(), image)
    assert face.rotation == rotation
    assert face.box.tolist() == box
    left, top, right, bottom = face.box
    assert ((face.landmarks >= [left, top]) & (face.landmarks <= [right, bottom])).all()


class DoubtfulDetector(CornerDetector):
    """Also finds a doubtful face in every orientation."""

    def detect(self, image: np.ndarray, reduced_by: int = 1) -> list[Face]:
        faces = super().detect(image, reduced_by)
        box, points = np.array([20, 20, 30, 30], np.float32), np.full((5, 2), 25, np.float32)
        return [*faces, Face(box, points, 0.7)]


def test_the_orientation_with_the_best_score_wins() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[28:, 48:] = 255
    face, *_ = detect_any_orientation(DoubtfulDetector(), image)
    assert (face.rotation, face.score) == (180, 0.99)
    (upright,) = detect_any_orientation(DoubtfulDetector(), np.zeros((40, 60, 3), np.uint8))
    assert (upright.rotation, upright.score) == (0, 0.7)


def test_a_doubtful_face_in_a_rotated_photo_does_not_count() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[28:, 48:] = 255
    assert detect_any_orientation(CornerDetector(score=0.9), image) == []


class ReductionDetector(CornerDetector):
    """Records how far each image was reduced."""

    def __init__(self) -> None:
        super().__init__()
        self.reductions: list[int] = []

    def detect(self, image: np.ndarray, reduced_by: int = 1) -> list[Face]:
        self.reductions.append(reduced_by)
        return super().detect(image, reduced_by)


def test_the_detector_is_told_the_reduction_in_every_orientation() -> None:
    detector = ReductionDetector()
    detect_any_orientation(detector, np.zeros((40, 60, 3), np.uint8), 4)
    assert detector.reductions == [4, 4, 4, 4]


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return open_detector()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_has_the_same_landmarks_and_is_reported_with_its_rotation(
    detector: FaceDetector, lfw: dict[str, Photo], turns: int
) -> None:
    upright = decode_image(lfw[PHOTO].read())
    (expected,) = detector.detect(upright)
    (face,) = detect_any_orientation(detector, np.ascontiguousarray(np.rot90(upright, turns)))
    assert face.rotation == 360 - 90 * turns
    np.testing.assert_allclose(face.landmarks, rotate(expected.landmarks, 90 * turns), atol=0.01)


@pytest.mark.parametrize("degrees", range(0, 360, 30))
def test_a_face_at_any_angle_is_found(detector: FaceDetector, lfw: dict[str, Photo], degrees: int) -> None:
    for name in TILTED:
        upright = Image.fromarray(decode_image(lfw[name].read()))
        (expected, *_) = detector.detect(np.array(upright))
        tilted = upright.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(120, 120, 120))
        (face, *_) = detect_any_orientation(detector, np.array(tilted))
        error = np.linalg.norm(face.landmarks - rotate(expected.landmarks, degrees), axis=1).mean()
        assert error < 0.1 * np.linalg.norm(expected.landmarks[1] - expected.landmarks[0])


def rotate(points: np.ndarray, degrees: float) -> np.ndarray:
    """Rotates points (N, 2) with a photo of 250 x 250 pixels, counter-clockwise."""
    sine, cosine = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    return np.asarray((points - 125) @ np.array([[cosine, -sine], [sine, cosine]]) + 125)


def test_rotated_photos_are_detected_in_the_right_orientation(detector: FaceDetector, lfw: dict[str, Photo]) -> None:
    correct = total = 0
    for name in sorted(lfw)[::400]:
        photo = decode_image(lfw[name].read())
        for turns in range(4):
            faces = detect_any_orientation(detector, np.ascontiguousarray(np.rot90(photo, turns)))
            correct += bool(faces) and faces[0].rotation == 90 * (-turns % 4)
            total += 1
    assert correct >= 0.97 * total


def test_a_drawn_landscape_has_no_face(detector: FaceDetector) -> None:
    assert detect_any_orientation(detector, np.array(landscape())) == []


@pytest.mark.parametrize("name", WITHOUT_PEOPLE)
def test_a_picture_without_people_has_no_face(detector: FaceDetector, name: str) -> None:
    picture = Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB")
    assert detect_any_orientation(detector, np.array(picture)) == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("grain", [1, 4, 16])
def test_noise_has_no_face(detector: FaceDetector, seed: int, grain: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (480 // grain, 640 // grain, 3)).astype(np.uint8)
    picture = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
    assert detect_any_orientation(detector, np.array(picture)) == []


@pytest.mark.parametrize("light", [0, 128, 255])
def test_a_uniform_photo_has_no_face(detector: FaceDetector, light: int) -> None:
    assert detect_any_orientation(detector, np.full((1200, 1600, 3), light, np.uint8)) == []


@pytest.mark.parametrize("light", [128, None], ids=["grey", "noise"])
@pytest.mark.parametrize(
    ("width", "height"),
    [
        *[(1, 1), (2, 2), (8, 8), (31, 1), (1, 31), (33, 33)],
        *[(1, 400), (400, 1), (1, 1000), (1000, 1), (3, 3000), (3000, 3), (10, 10_000), (10_000, 10)],
    ],
)
def test_a_photo_of_any_size_and_shape_without_a_face_shows_none(
    detector: FaceDetector, width: int, height: int, light: int | None
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    image = noise if light is None else np.full_like(noise, light)
    assert detector.detect(image) == []
    assert detect_any_orientation(detector, image) == []
    assert detect_any_orientation(detector, image, 8) == []
