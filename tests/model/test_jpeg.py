import numpy as np
import pytest

from model.images import decode_scaled
from model.jpeg import count_scans, pixels_to_scan
from tests.support.fakes import encoded
from tests.support.pictures import many_scans, noise

PHOTO = encoded(noise(320, 240), "JPEG")


def test_an_ordinary_jpeg_promises_its_pixels_once_for_each_scan() -> None:
    assert pixels_to_scan(PHOTO) == 320 * 240
    progressive = encoded(noise(320, 240), "JPEG", progressive=True)
    scans = count_scans(progressive)
    assert 5 < scans < 20
    assert pixels_to_scan(progressive) == 320 * 240 * scans
    assert pixels_to_scan(many_scans(3000)) == 1_000_000 * count_scans(many_scans(3000)) > 3_000_000_000


def with_frame(marker: int) -> bytes:
    return PHOTO.replace(b"\xff\xc0", bytes([0xFF, marker]), 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        encoded(noise(32, 32), "PNG"),
        PHOTO[:100],
        with_frame(0xC9),  # arithmetic coding
        with_frame(0xC3),  # lossless
        PHOTO.replace(b"\xff\xc0", PHOTO[PHOTO.index(b"\xff\xc0") :][:19] + b"\xff\xc0", 1),  # two frames
        PHOTO[:2] + b"\xff" + PHOTO[2:],  # a byte of filling
        PHOTO[:2] + b"\xff\xfe\x00\x02" * 100 + PHOTO[2:],  # 100 comments
        encoded(noise(32, 32).convert("CMYK"), "JPEG"),
    ],
    ids=range(10),
)
def test_nothing_is_promised_for_anything_else(data: bytes) -> None:
    assert pixels_to_scan(data) is None


def test_a_video_behind_the_photo_has_no_scans() -> None:
    video = np.random.default_rng(0).integers(0, 256, 20_000_000, dtype=np.uint8).tobytes()
    assert video.count(b"\xff\xda") > 100
    assert count_scans(PHOTO + video) <= 2
    assert decode_scaled(PHOTO + video[: 2**23]).width == 320


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_scan_of_a_decoder_is_counted(mode: str) -> None:
    assert count_scans(encoded(noise(32, 32).convert(mode), "JPEG")) == 1
    progressive = encoded(noise(32, 32).convert(mode), "JPEG", progressive=True)
    assert count_scans(progressive) == progressive.count(b"\xff\xda") > 5
