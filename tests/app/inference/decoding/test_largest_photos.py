"""Photos of the most pixels, in every format, with the service's default limits."""

from collections.abc import Iterator
from typing import Any

import pillow_heif
import pytest
from PIL import Image

from app.inference.decoding.pool import DecoderPool
from app.settings import Settings
from model.errors import PhotoTooExpensive
from model.images import ImageLimits
from tests.support.fakes import encoded


def largest(kind: str) -> bytes:
    """Returns a photo of the most pixels that the service accepts by default, or nearly so."""
    size = (8160, 6144)
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
        return encoded(Image.new("RGB", size), "HEIF", quality=1, enc_params={"preset": "ultrafast"})
    grey = Image.linear_gradient("L").resize(size)
    if kind == "CMYK":
        return encoded(grey.convert("CMYK"), "JPEG", progressive=True)
    if kind == "GIF":
        return encoded(grey, "GIF")
    options: dict[str, dict[str, Any]] = {
        "JPEG 4:4:4": {"progressive": True, "subsampling": 0},
        "JPEG 4:2:0": {"progressive": True, "subsampling": 2},
        "PNG": {"compress_level": 1},
        "WEBP": {"method": 0, "quality": 1},
        "TIFF": {"compression": "tiff_lzw"},
    }
    photo = grey.convert("RGBA" if kind in ("PNG", "WEBP") else "RGB")
    return encoded(photo, kind.split()[0], **options[kind])


@pytest.fixture(scope="module")
def default_pool() -> Iterator[DecoderPool]:
    settings = Settings()
    pool = DecoderPool(1, settings.max_decode_s * 5, settings.max_decode_bytes)  # seconds: other tests may run beside
    yield pool
    pool.close()


@pytest.mark.parametrize("kind", ["JPEG 4:4:4", "JPEG 4:2:0", "CMYK", "PNG", "WEBP", "TIFF", "GIF", "HEIF"])
def test_the_largest_photos_of_every_format_pass_at_the_defaults(default_pool: DecoderPool, kind: str) -> None:
    data = largest(kind)
    assert len(data) <= ImageLimits.max_bytes or kind == "TIFF"
    decoded = default_pool.decode(data, ImageLimits(len(data)), 1600 * 1200)
    assert (decoded.width, decoded.height) == (8160, 6144)
    assert decoded.scale == 4


@pytest.mark.parametrize("kind", ["JPEG 4:4:4", "CMYK", "WEBP"])
def test_a_lack_of_memory_is_not_damage(kind: str) -> None:
    pool = DecoderPool(1, seconds=20, memory=150 * 2**20)
    with pytest.raises(PhotoTooExpensive):
        pool.decode(largest(kind), None, 1600 * 1200)
    pool.close()
