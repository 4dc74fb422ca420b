import sys

import numpy as np
import pytest
from PIL import Image

from model.alignment import CHIP_TEMPLATE, chip_template
from model.detector.orientation import DetectorKind, detect_any_orientation, open_detector
from model.face import Face, FaceDetector
from model.images import decode_image
from model.pipeline import PhotoReader
from model.runtime.torchscript import BundleError
from model.selection import FaceSelection
from tests.support.fakes import landscape
from training.data.photos import Photo

PHOTO = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg"


class CornerDetector:
    """Sees a face only where the photo's top left quarter is white: an upright photo has exactly one."""

    name = "corner"
    frame = np.array(CHIP_TEMPLATE)
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
def test_a_face_found_in_a_turned_photo_is_reported_where_it_is_in_the_photo_as_sent(
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


class Doubtful(CornerDetector):
    """Sees something face-like in every orientation, a face in one."""

    def detect(self, image: np.ndarray) -> list[Face]:
        seen = super().detect(image)
        box, points = np.array([20, 20, 30, 30], np.float32), np.full((5, 2), 25, np.float32)
        return [*seen, Face(box, points, 0.7)]


def test_something_doubtful_in_a_turned_photo_does_not_hide_the_face() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[28:, 48:] = 255
    face, *_ = detect_any_orientation(Doubtful(), image)
    assert (face.rotation, face.score) == (180, 0.99)
    (upright,) = detect_any_orientation(Doubtful(), np.zeros((40, 60, 3), np.uint8))
    assert (upright.rotation, upright.score) == (0, 0.7)


def test_a_doubtful_face_in_a_turned_photo_does_not_count() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[28:, 48:] = 255
    assert detect_any_orientation(CornerDetector(score=0.9), image) == []


@pytest.fixture(scope="module", params=list(DetectorKind))
def detector(request: pytest.FixtureRequest) -> FaceDetector:
    return open_detector(request.param)


def test_finds_a_face_with_landmarks_in_their_order(detector: FaceDetector, lfw: dict[str, Photo]) -> None:
    face = detector.detect(decode_image(lfw[PHOTO].read()))[0]
    left_eye, right_eye, nose, mouth_left, mouth_right = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < mouth_right[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_a_large_photo_gives_the_same_face_as_a_small_one(detector: FaceDetector, lfw: dict[str, Photo]) -> None:
    small = decode_image(lfw[PHOTO].read())
    large = np.array(Image.fromarray(small).resize((2000, 2000), Image.Resampling.BICUBIC))
    eyes = 8 * np.linalg.norm(detector.detect(small)[0].landmarks[1] - detector.detect(small)[0].landmarks[0])
    off = np.abs(detector.detect(large)[0].landmarks - 8 * detector.detect(small)[0].landmarks).max()
    assert off < 0.1 * eyes


def test_a_photo_lying_on_its_side_is_found_and_says_so(detector: FaceDetector, lfw: dict[str, Photo]) -> None:
    upright = decode_image(lfw[PHOTO].read())
    (expected, *_) = detector.detect(upright)
    (face, *_) = detect_any_orientation(detector, np.ascontiguousarray(np.rot90(upright, 3)))
    assert face.rotation == 90
    # Turning clockwise carries (x, y) to (height - y, x).
    turned = np.stack([250 - expected.landmarks[:, 1], expected.landmarks[:, 0]], axis=1)
    np.testing.assert_allclose(face.landmarks, turned, atol=1.0)


def test_a_landscape_has_no_face(detector: FaceDetector) -> None:
    assert detect_any_orientation(detector, np.array(landscape())) == []


@pytest.mark.parametrize("shape", [(1, 1), (30, 30), (1, 3000), (41, 5000)])
def test_tiny_and_narrow_images_are_no_error(detector: FaceDetector, shape: tuple[int, int]) -> None:
    assert detector.detect(np.full((*shape, 3), 128, np.uint8)) == []


def test_photos_that_lost_their_orientation_are_read_the_right_way_up(lfw: dict[str, Photo]) -> None:
    detector = open_detector()
    right = total = 0
    for name in sorted(lfw)[::400]:
        photo = decode_image(lfw[name].read())
        for turns in range(4):
            faces = detect_any_orientation(detector, np.ascontiguousarray(np.rot90(photo, turns)))
            right += bool(faces) and faces[0].rotation == 90 * (-turns % 4)
            total += 1
    assert right >= 0.97 * total


def test_the_same_face_fills_the_same_crop_whoever_found_it(lfw: dict[str, Photo]) -> None:
    photos = [lfw[name].read() for name in sorted(lfw)[::1000]]
    crops = []
    for kind in DetectorKind:
        reader = PhotoReader(open_detector(kind), chip_template(150), 150)
        crops.append([reader.read(photo, FaceSelection.CENTRAL).crop.astype(float) for photo in photos])
    for ours, theirs in zip(*crops, strict=True):
        shifted = np.roll(theirs, 8, axis=1)
        assert np.abs(ours - theirs).mean() < np.abs(ours - shifted).mean()


def test_an_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    monkeypatch.delitem(sys.modules, "model.detector.mtcnn", raising=False)
    with pytest.raises(BundleError, match=r"facetwin\[mtcnn\]"):
        open_detector(DetectorKind.MTCNN)
