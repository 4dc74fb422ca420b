import math

import numpy as np
import pytest
from PIL import Image

from model.detector.bundle import load_locator
from model.detector.single_pass import FIRST_LOOK, SECOND_LOOK, SinglePassDetector
from model.face import Face
from model.images import decode_image
from training.data.photos import Photo

PHOTO = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg"


class Watched(SinglePassDetector):
    """Notes the pixels of each look."""

    def __init__(self) -> None:
        super().__init__(load_locator())
        self.looks: list[float] = []

    def _look(self, image: np.ndarray, factor: int) -> list[Face]:
        self.looks.append(image.shape[0] * image.shape[1] / factor**2)
        return super()._look(image, factor)


@pytest.fixture
def detector() -> Watched:
    return Watched()


def pasted(photo: Photo, face: int, width: int, height: int) -> np.ndarray:
    """The photo at `face` px a side in a corner of a large grey one."""
    picture = Image.new("RGB", (width, height), (120, 120, 120))
    picture.paste(Image.fromarray(decode_image(photo.read())).resize((face, face)), (width // 5, height // 5))
    return np.array(picture)


def test_a_photo_with_a_large_face_is_looked_at_once(detector: Watched, lfw: dict[str, Photo]) -> None:
    assert len(detector.detect(decode_image(lfw[PHOTO].read()))) == 1
    large = Image.fromarray(decode_image(lfw[PHOTO].read())).resize((2400, 2400))
    assert len(detector.detect(np.array(large))) == 1
    assert len(detector.looks) == 2
    assert max(detector.looks) <= FIRST_LOOK


def test_small_faces_and_none_deserve_a_second_look_that_costs_a_bounded_number_of_pixels(
    detector: Watched, lfw: dict[str, Photo]
) -> None:
    image = pasted(lfw[PHOTO], 300, 4000, 3000)
    (face,) = detector.detect(image)
    assert len(detector.looks) == 2
    assert FIRST_LOOK < detector.looks[1] <= SECOND_LOOK
    np.testing.assert_allclose(face.landmarks.mean(axis=0), (800 + 150, 600 + 150), atol=40)
    detector.looks.clear()
    assert detector.detect(np.full((3000, 4000, 3), 120, np.uint8)) == []
    assert len(detector.looks) == 2
    assert detector.looks[1] <= SECOND_LOOK


def test_the_second_look_places_landmarks_better(detector: Watched, lfw: dict[str, Photo]) -> None:
    image = pasted(lfw[PHOTO], 320, 1300, 900)  # a dozen pixels a side, at first
    expected = 1.28 * detector.detect(decode_image(lfw[PHOTO].read()))[0].landmarks + (1300 // 5, 900 // 5)
    detector.looks.clear()
    (face,) = detector.detect(image)
    assert len(detector.looks) == 2
    hasty = detector._look(image, math.ceil(math.sqrt(1300 * 900 / FIRST_LOOK)))[0]
    assert np.abs(face.landmarks - expected).mean() < np.abs(hasty.landmarks - expected).mean()
