import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from model.images import decode_scaled
from model.rgb import to_rgb
from tests.support.fakes import encoded
from tests.support.pictures import noise


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("band_pixels", [1, 4000, 2**20])
def test_an_image_is_turned_upright_as_pillow_does(
    orientation: int, band_pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.rgb.BAND_PIXELS", band_pixels)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(noise(70, 50), "PNG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    image = decode_scaled(data)
    assert np.array_equal(image.pixels, expected)
    assert image.pixels.flags.c_contiguous
    assert (image.height, image.width) == expected.shape[:2]


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("band_pixels", [1, 4000, 2**20])
def test_an_image_is_reduced_as_pillow_does(scale: int, band_pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.rgb.BAND_PIXELS", band_pixels)
    for size in ((70, 50), (64, 64), (33, 129)):
        photo = noise(*size)
        assert np.array_equal(to_rgb(photo, 1, scale), np.asarray(photo.reduce(scale)))


def test_bands_do_not_change_grey_of_16_bits_or_transparency(monkeypatch: pytest.MonkeyPatch) -> None:
    ramp = Image.fromarray(np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16))
    clear = noise(64, 64)
    clear.putalpha(ramp.point(lambda value: value / 257).convert("L"))
    whole = [to_rgb(image, 1, 1) for image in (ramp, ramp.convert("I"), clear, clear.convert("LA"))]
    monkeypatch.setattr("model.rgb.BAND_PIXELS", 200)
    banded = [to_rgb(image, 1, 1) for image in (ramp, ramp.convert("I"), clear, clear.convert("LA"))]
    for first, second in zip(whole, banded, strict=True):
        assert np.array_equal(first, second)
    assert whole[0].max() == 255
