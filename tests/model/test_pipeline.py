import numpy as np
import pytest
from PIL import Image

from model.alignment import ALIGNMENTS
from model.face import Face
from model.images import ImageLimits, decode_image, decode_scaled
from model.pipeline import MIN_DECODED_PIXELS, PhotoReader
from model.selection import FaceSelection
from tests.support.fakes import CROP, TEMPLATE, FakeDetector, encoded
from tests.support.pictures import two_colours

SIZE = (3264, 2448)


class CentralFaceDetector(FakeDetector):
    """Finds one face in the centre, `share` of the photo's width wide, and records the size of each image."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.sizes, self.reductions = share, list[tuple[int, int]](), list[int]()

    def detect(self, image: np.ndarray, reduced_by: int = 1) -> list[Face]:
        height, width = image.shape[:2]
        self.reductions.append(reduced_by)
        self.sizes.append((width, height))
        side = self.share * width
        points = np.array(TEMPLATE, np.float32) / CROP * side + [(width - side) / 2, (height - side) / 2]
        box = np.array([width - side, height - side, width + side, height + side], np.float32) / np.float32(2)
        return [Face(box, points.astype(np.float32), 0.99)]


@pytest.fixture(scope="module")
def photo() -> bytes:
    """A JPEG of vertical waves with a period of ten pixels, on a slow change of colour."""
    x, y = np.arange(SIZE[0], dtype=np.float32), np.arange(SIZE[1], dtype=np.float32)[:, None]
    pixels = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[..., 0] = 127 + 90 * np.sin(x * (2 * np.pi / 10))
    pixels[..., 1], pixels[..., 2] = x / 16, y / 12
    return encoded(Image.fromarray(pixels), "JPEG", quality=95)


def read(
    photo: bytes, share: float, min_pixels: int | None = MIN_DECODED_PIXELS
) -> tuple[np.ndarray, Face, CentralFaceDetector]:
    detector = CentralFaceDetector(share)
    reader = PhotoReader(detector, np.array(TEMPLATE), CROP, min_pixels=min_pixels)
    aligned = reader.read(photo, FaceSelection.LARGEST)
    return aligned.crop, aligned.face, detector


def test_a_large_jpeg_is_decoded_at_reduced_size_and_reported_at_full_size(photo: bytes) -> None:
    _, face, detector = read(photo, 0.5)
    assert detector.sizes == [(1632, 1224)]
    assert detector.reductions == [2]  # the detector knows that the photo is larger
    np.testing.assert_allclose(face.box, [816, 408, 2448, 2040])
    assert MIN_DECODED_PIXELS <= 1632 * 1224


def test_a_small_face_in_a_large_jpeg_is_cropped_at_full_resolution(photo: bytes) -> None:
    crop, face, _ = read(photo, CROP * 1.5 / SIZE[0])  # 1.5 pixels of the photo for each of the crop
    assert crop[..., 0].std() > 35  # at half the resolution, the waves would be nearly flat
    np.testing.assert_allclose(face.box[2] - face.box[0], CROP * 1.5)


def test_a_large_face_has_nearly_the_same_crop_at_reduced_size(photo: bytes) -> None:
    reduced, _, _ = read(photo, 0.5)
    full, _, detector = read(photo, 0.5, min_pixels=None)
    assert (detector.sizes, detector.reductions) == ([SIZE], [1])
    np.testing.assert_allclose(reduced.astype(float), full, atol=5)


def test_a_large_photo_of_another_format_is_reduced_in_the_same_way(photo: bytes) -> None:
    as_png = encoded(Image.fromarray(decode_image(photo)), "PNG", compress_level=1)
    crop, _, detector = read(as_png, 0.5)
    assert (detector.sizes, detector.reductions) == ([(1632, 1224)], [2])
    np.testing.assert_allclose(crop.astype(float), read(photo, 0.5)[0], atol=5)


def test_smaller_photos_are_decoded_at_full_size(photo: bytes) -> None:
    small = Image.fromarray(decode_image(photo)).resize((1632, 1224))
    assert decode_scaled(encoded(small, "JPEG"), min_pixels=MIN_DECODED_PIXELS).scale == 1
    assert decode_scaled(encoded(two_colours(), "PNG"), min_pixels=1000).scale == 1
    assert decode_scaled(photo).scale == 1


def test_the_exif_orientation_is_applied_at_reduced_size(photo: bytes) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    rotated = decode_scaled(
        encoded(Image.fromarray(decode_image(photo)), "JPEG", exif=exif), min_pixels=MIN_DECODED_PIXELS
    )
    assert (rotated.width, rotated.height) == (2448, 3264)
    assert rotated.pixels.shape == (1632, 1224, 3)
    assert rotated.scale == 2


def test_detect_all_reports_the_size_of_the_photo_as_sent(photo: bytes) -> None:
    found = PhotoReader(CentralFaceDetector(0.2), np.array(TEMPLATE), CROP).detect_all(photo)
    assert (found.width, found.height) == SIZE
    np.testing.assert_allclose(found.faces[0][0].box[2] - found.faces[0][0].box[0], 0.2 * 3264)


def test_decoding_at_full_resolution_uses_the_same_limits(photo: bytes) -> None:
    default = ImageLimits()
    padded = photo + bytes(default.max_bytes)
    reader = PhotoReader(
        CentralFaceDetector(0.005), np.array(TEMPLATE), CROP, ImageLimits(max_bytes=2 * default.max_bytes)
    )
    assert reader.read(padded, FaceSelection.LARGEST).crop.shape == (CROP, CROP, 3)


def test_a_photo_too_large_for_full_size_is_cropped_at_the_best_size(
    photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.images.MAX_DECODED_PIXELS", 4_000_000)  # the photo has twice as many
    share = CROP * 4 / SIZE[0]
    aligned, detector = [], CentralFaceDetector(share)
    for min_pixels in (None, 100_000):  # decoded at 1/2 and at 1/8
        reader = PhotoReader(detector, np.array(TEMPLATE), CROP, ImageLimits(max_pixels=10_000_000), min_pixels)
        aligned.append(reader.read(photo, FaceSelection.LARGEST))
    assert detector.sizes == [(1632, 1224), (408, 306)]
    assert detector.reductions == [2, 8]
    np.testing.assert_allclose(aligned[0].face.box, aligned[1].face.box)
    np.testing.assert_allclose(aligned[0].crop, aligned[1].crop, atol=2)


def test_the_reader_cuts_as_its_alignment_says(photo: bytes) -> None:
    detector = CentralFaceDetector(0.5)
    plain, widened = (
        PhotoReader(detector, np.array(TEMPLATE), CROP, alignment=each).read(photo, FaceSelection.LARGEST).crop
        for each in ALIGNMENTS
    )
    assert plain.shape == widened.shape
    with pytest.raises(ValueError, match="none of similarity-bicubic-1"):
        PhotoReader(detector, np.array(TEMPLATE), CROP, alignment="another")
