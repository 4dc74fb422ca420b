import numpy as np
import pytest
from PIL import Image

from model.face import Face
from model.images import ImageLimits, decode_image, decode_scaled
from model.pipeline import ENOUGH, PhotoReader
from model.selection import FaceSelection
from tests.model.test_images import two_colours
from tests.support.fakes import CROP, TEMPLATE, FakeDetector, encoded

SIZE = (3264, 2448)


class InTheMiddle(FakeDetector):
    """Finds a face in the middle that takes `share` of the photo's width; notes how many pixels it is shown."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.shown = share, list[tuple[int, int]]()

    def detect(self, image: np.ndarray) -> list[Face]:
        height, width = image.shape[:2]
        self.shown.append((width, height))
        side = self.share * width
        points = np.array(TEMPLATE, np.float32) / CROP * side + [(width - side) / 2, (height - side) / 2]
        box = np.array([width - side, height - side, width + side, height + side], np.float32) / np.float32(2)
        return [Face(box, points.astype(np.float32), 0.99)]


@pytest.fixture(scope="module")
def photo() -> bytes:
    """Waves of ten pixels across, and a slow change of colour."""
    x, y = np.arange(SIZE[0], dtype=np.float32), np.arange(SIZE[1], dtype=np.float32)[:, None]
    pixels = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[..., 0] = 127 + 90 * np.sin(x * (2 * np.pi / 10))
    pixels[..., 1], pixels[..., 2] = x / 16, y / 12
    return encoded(Image.fromarray(pixels), "JPEG", quality=95)


def read(photo: bytes, share: float) -> tuple[np.ndarray, Face, InTheMiddle]:
    detector = InTheMiddle(share)
    seen = PhotoReader(detector, np.array(TEMPLATE), CROP).read(photo, FaceSelection.LARGEST)
    return seen.crop, seen.face, detector


def test_a_large_jpeg_is_decoded_with_fewer_pixels_and_told_of_in_its_own(photo: bytes) -> None:
    _, face, detector = read(photo, 0.5)
    assert detector.shown == [(1632, 1224)]
    np.testing.assert_allclose(face.box, [816, 408, 2448, 2040])
    assert ENOUGH <= 1632 * 1224


def test_a_face_that_is_small_in_a_large_jpeg_keeps_all_its_detail(photo: bytes) -> None:
    crop, face, _ = read(photo, CROP * 1.5 / SIZE[0])  # 1.5 pixels of the photo for one of the crop
    assert crop[..., 0].std() > 35  # of the waves, of which half the pixels show little
    np.testing.assert_allclose(face.box[2] - face.box[0], CROP * 1.5)


def test_a_large_face_looks_the_same_from_fewer_pixels(photo: bytes) -> None:
    few, _, _ = read(photo, 0.5)
    every, _, detector = read(encoded(Image.fromarray(decode_image(photo)), "PNG", compress_level=1), 0.5)
    assert detector.shown == [SIZE]
    np.testing.assert_allclose(few.astype(float), every, atol=5)


def test_other_formats_and_smaller_photos_are_decoded_whole(photo: bytes) -> None:
    small = Image.fromarray(decode_image(photo)).resize((1632, 1224))
    assert decode_scaled(encoded(small, "JPEG"), enough=ENOUGH).scale == 1
    assert decode_scaled(encoded(two_colours(), "PNG"), enough=10).scale == 1
    assert decode_scaled(photo).scale == 1


def test_a_photo_is_turned_upright_whatever_is_left_out(photo: bytes) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode_scaled(encoded(Image.fromarray(decode_image(photo)), "JPEG", exif=exif), enough=ENOUGH)
    assert (turned.width, turned.height) == (2448, 3264)
    assert turned.pixels.shape == (1632, 1224, 3)
    assert turned.scale == 2


def test_detect_tells_the_size_of_the_photo_as_sent(photo: bytes) -> None:
    seen = PhotoReader(InTheMiddle(0.2), np.array(TEMPLATE), CROP).survey(photo)
    assert (seen.width, seen.height) == SIZE
    np.testing.assert_allclose(seen.faces[0][0].box[2] - seen.faces[0][0].box[0], 0.2 * 3264)


def test_all_the_detail_is_read_within_the_limits_that_were_chosen(photo: bytes) -> None:
    usual = ImageLimits()
    padded = photo + bytes(usual.max_bytes)
    reader = PhotoReader(InTheMiddle(0.005), np.array(TEMPLATE), CROP, ImageLimits(max_bytes=2 * usual.max_bytes))
    assert reader.read(padded, FaceSelection.LARGEST).crop.shape == (CROP, CROP, 3)
