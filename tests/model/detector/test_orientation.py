import numpy as np
import pytest

from model.alignment import CHIP_TEMPLATE
from model.detector.factory import DetectorKind, open_detector
from model.detector.orientation import detect_any_orientation
from model.face import Face, FaceDetector
from model.images import decode_image
from tests.support.fakes import landscape
from training.data.photos import Photo

PHOTO = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg"


class CornerDetector:
    """Finds one face if the top left corner of the image is white, and none otherwise."""

    name = "corner"
    reference_landmarks = np.array(CHIP_TEMPLATE)
    sure_score = 0.8
    turned_score = 0.95
    choices = ()

    def __init__(self, score: float = 0.99) -> None:
        self._score = score

    def detect(self, image: np.ndarray) -> list[Face]:
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

    def detect(self, image: np.ndarray) -> list[Face]:
        faces = super().detect(image)
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


@pytest.fixture(scope="module", params=list(DetectorKind))
def detector(request: pytest.FixtureRequest) -> FaceDetector:
    return open_detector(request.param)


def test_a_photo_on_its_side_is_reported_with_its_rotation(detector: FaceDetector, lfw: dict[str, Photo]) -> None:
    upright = decode_image(lfw[PHOTO].read())
    (expected, *_) = detector.detect(upright)
    (face, *_) = detect_any_orientation(detector, np.ascontiguousarray(np.rot90(upright, 3)))
    assert face.rotation == 90
    # Rotating clockwise maps (x, y) to (height - y, x).
    rotated = np.stack([250 - expected.landmarks[:, 1], expected.landmarks[:, 0]], axis=1)
    np.testing.assert_allclose(face.landmarks, rotated, atol=1.0)


def test_a_landscape_has_no_face(detector: FaceDetector) -> None:
    assert detect_any_orientation(detector, np.array(landscape())) == []


def test_rotated_photos_are_detected_in_the_right_orientation(lfw: dict[str, Photo]) -> None:
    detector = open_detector()
    correct = total = 0
    for name in sorted(lfw)[::400]:
        photo = decode_image(lfw[name].read())
        for turns in range(4):
            faces = detect_any_orientation(detector, np.ascontiguousarray(np.rot90(photo, turns)))
            correct += bool(faces) and faces[0].rotation == 90 * (-turns % 4)
            total += 1
    assert correct >= 0.97 * total


@pytest.mark.parametrize("light", [128, None], ids=["grey", "noise"])
@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (1, 400), (400, 1), (2, 2), (8, 8), (31, 1), (1, 1000), (3000, 3), (10, 10_000)]
)
def test_a_photo_of_any_size_and_shape_without_a_face_shows_none(width: int, height: int, light: int | None) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    image = noise if light is None else np.full_like(noise, light)
    assert detect_any_orientation(open_detector(), image) == []
