import math

import numpy as np
import pytest
from PIL import Image

from model.detector.bundle import load_locator
from model.detector.single_pass import FIRST_PASS_PIXELS, SECOND_PASS_PIXELS, SinglePassDetector
from model.face import Face
from model.images import decode_image
from training.data.photos import Photo

PHOTO = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg"


class RecordingDetector(SinglePassDetector):
    """Records the number of pixels of each pass."""

    def __init__(self) -> None:
        super().__init__(load_locator())
        self.passes: list[float] = []

    def _run(self, image: np.ndarray, factor: int) -> list[Face]:
        self.passes.append(image.shape[0] * image.shape[1] / factor**2)
        return super()._run(image, factor)


@pytest.fixture
def detector() -> RecordingDetector:
    return RecordingDetector()


def paste(photo: Photo, face: int, width: int, height: int) -> np.ndarray:
    """Pastes the photo, `face` pixels a side, into a grey image of width x height pixels."""
    picture = Image.new("RGB", (width, height), (120, 120, 120))
    picture.paste(Image.fromarray(decode_image(photo.read())).resize((face, face)), (width // 5, height // 5))
    return np.array(picture)


def test_a_photo_with_a_large_face_needs_one_pass(detector: RecordingDetector, lfw: dict[str, Photo]) -> None:
    assert len(detector.detect(decode_image(lfw[PHOTO].read()))) == 1
    large = Image.fromarray(decode_image(lfw[PHOTO].read())).resize((2400, 2400))
    assert len(detector.detect(np.array(large))) == 1
    assert len(detector.passes) == 2
    assert max(detector.passes) <= FIRST_PASS_PIXELS


def test_small_faces_and_no_face_cause_a_second_pass_of_bounded_size(
    detector: RecordingDetector, lfw: dict[str, Photo]
) -> None:
    image = paste(lfw[PHOTO], 300, 4000, 3000)
    (face,) = detector.detect(image)
    assert len(detector.passes) == 2
    assert FIRST_PASS_PIXELS < detector.passes[1] <= SECOND_PASS_PIXELS
    np.testing.assert_allclose(face.landmarks.mean(axis=0), (800 + 150, 600 + 150), atol=40)
    detector.passes.clear()
    assert detector.detect(np.full((3000, 4000, 3), 120, np.uint8)) == []
    assert len(detector.passes) == 2
    assert detector.passes[1] <= SECOND_PASS_PIXELS


def test_the_second_pass_improves_the_landmarks(detector: RecordingDetector, lfw: dict[str, Photo]) -> None:
    image = paste(lfw[PHOTO], 320, 1300, 900)  # a dozen pixels a side in the first pass
    expected = 1.28 * detector.detect(decode_image(lfw[PHOTO].read()))[0].landmarks + (1300 // 5, 900 // 5)
    detector.passes.clear()
    (face,) = detector.detect(image)
    assert len(detector.passes) == 2
    first = detector._run(image, math.ceil(math.sqrt(1300 * 900 / FIRST_PASS_PIXELS)))[0]
    assert np.abs(face.landmarks - expected).mean() < np.abs(first.landmarks - expected).mean()
