import io
import struct

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from model.errors import CorruptImage, EmptyImage, ImageTooLarge, UnsupportedImage
from model.images import MAX_DECODED_PIXELS, MAX_PIXELS, ImageLimits, decode_image, decode_scaled
from tests.support.fakes import encoded
from tests.support.pictures import noise, png_of_size, two_colours


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_decodes_common_formats_to_rgb(kind: str) -> None:
    pixels = decode_image(encoded(two_colours(), kind))
    assert pixels.shape == (32, 64, 3)
    assert pixels.dtype == np.uint8
    assert pixels[16, 8, 0] > 150 > pixels[16, 8, 2]
    assert pixels[16, 56, 2] > 150 > pixels[16, 56, 0]


def test_decodes_heic() -> None:
    stream = io.BytesIO()
    pillow_heif.from_pillow(two_colours()).save(stream, quality=90)
    pixels = decode_image(stream.getvalue())
    assert pixels.shape == (32, 64, 3)
    assert pixels[16, 8, 0] > 150 > pixels[16, 8, 2]


def test_decodes_the_primary_image_of_a_heic_whichever_it_is() -> None:
    file = pillow_heif.from_pillow(Image.new("RGB", (64, 64), (30, 30, 200)))
    file.add_from_pillow(two_colours())
    for primary, shape in ((0, (64, 64, 3)), (1, (32, 64, 3))):
        stream = io.BytesIO()
        file.save(stream, quality=90, primary_index=primary)
        pixels = decode_image(stream.getvalue())
        assert pixels.shape == shape
        assert (pixels[16, 8, 0] > 150) == (primary == 1)


def test_turns_an_avif_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_image(encoded(two_colours(), "AVIF", exif=exif))[8, 16, 0] > 150


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read(progressive: bool) -> None:
    whole = encoded(noise(320, 240), "JPEG", progressive=progressive)
    assert not decode_scaled(whole).ends_early
    image = decode_scaled(whole[:-2])
    assert image.ends_early
    assert np.array_equal(image.pixels, decode_image(whole))
    assert decode_scaled(whole[:-1]).ends_early
    for missing in (3, 4, 5, 10, 100, len(whole) // 2):
        with pytest.raises(CorruptImage, match="whole file"):
            decode_image(whole[:-missing])


def bmp(alpha: int) -> bytes:
    """A BMP of 2 x 2 pixels in orange, with a mask for alpha in its header."""
    pixels = bytes((30, 60, 200, alpha)) * 4
    sizes = struct.pack("<IiiHHIIiiII", 124, 2, 2, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = sizes + masks + b"BGRs" + bytes(64)
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(pixels), 0, 0, 14 + len(header)) + header + pixels


def test_a_bmp_whose_alpha_is_0_everywhere_is_opaque() -> None:
    assert decode_image(bmp(0)).tolist() == decode_image(bmp(255)).tolist() == [[[200, 60, 30]] * 2] * 2
    assert decode_image(bmp(128))[0, 0].tolist() == [227, 157, 142]  # blended with white


def test_applies_the_exif_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    pixels = decode_image(encoded(two_colours(), "JPEG", exif=exif))
    assert pixels.shape == (64, 32, 3)
    assert pixels[8, 16, 0] > 150  # the left half is now at the top
    assert pixels[56, 16, 2] > 150


def test_blends_transparency_with_white() -> None:
    pixels = decode_image(encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 0))))
    assert (pixels == 255).all()


def test_replaces_the_transparent_colour_of_a_palette_by_white() -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30] * 256)
    assert (decode_image(encoded(image, "PNG", transparency=0)) == 255).all()


def test_scales_16_bit_grey_instead_of_clipping_it() -> None:
    image = Image.fromarray(np.full((8, 8), 32_896, np.uint16))
    assert (decode_image(encoded(image)) == 128).all()


def test_keeps_a_nearly_black_16_bit_image_black() -> None:
    image = Image.fromarray(np.full((8, 8), 200, np.uint16))
    assert (decode_image(encoded(image)) <= 1).all()


def test_decodes_cmyk() -> None:
    pixels = decode_image(encoded(two_colours().convert("CMYK"), "JPEG"))
    assert pixels[16, 8, 0] > 150 > pixels[16, 8, 2]


def test_decodes_grey_to_three_equal_channels() -> None:
    pixels = decode_image(encoded(Image.new("L", (8, 8), 77)))
    assert pixels.shape == (8, 8, 3)
    assert (pixels == 77).all()


def test_decodes_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    pixels = decode_image(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert pixels[0, 0, 0] > 200 > pixels[0, 0, 2]


def test_rejects_empty_data() -> None:
    with pytest.raises(EmptyImage, match="0 bytes"):
        decode_image(b"")


def test_rejects_a_file_that_is_not_an_image() -> None:
    with pytest.raises(UnsupportedImage, match="Send JPEG"):
        decode_image(b"this is a letter, not a photo")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_rejects_a_truncated_file(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    whole = encoded(noise, kind)
    with pytest.raises(CorruptImage, match="whole file"):
        decode_image(whole[: len(whole) * 2 // 3])


def test_reports_a_jpeg_of_four_bytes_as_corrupt() -> None:
    with pytest.raises(CorruptImage):
        decode_image(b"\xff\xd8\xff\xe0")


def test_rejects_a_decompression_bomb() -> None:
    with pytest.raises(ImageTooLarge):
        decode_image(png_of_size(40_000, 40_000))


def test_rejects_more_pixels_than_the_limit() -> None:
    with pytest.raises(ImageTooLarge, match="64 x 32 pixels; at most 1,000"):
        decode_image(encoded(two_colours()), ImageLimits(max_pixels=1000))


def test_rejects_more_bytes_than_the_limit() -> None:
    with pytest.raises(ImageTooLarge, match="at most 100"):
        decode_image(b"x" * 101, ImageLimits(max_bytes=100))


@pytest.fixture(scope="module")
def large_jpeg() -> bytes:
    """A grey JPEG of 9000 x 6000 pixels, 54 million, light on the right."""
    image = Image.new("L", (9000, 6000), 60)
    image.paste(180, (6000, 0, 9000, 6000))
    return encoded(image, "JPEG", quality=50)


def test_a_jpeg_above_the_default_limit_is_rejected(large_jpeg: bytes) -> None:
    with pytest.raises(ImageTooLarge, match="9000 x 6000 pixels; at most 50,331,648"):
        decode_image(large_jpeg)


def test_with_a_higher_limit_a_jpeg_is_decoded_at_half_its_size(large_jpeg: bytes) -> None:
    image = decode_scaled(large_jpeg, ImageLimits(max_pixels=MAX_PIXELS))
    assert (image.scale, image.width, image.height) == (2, 9000, 6000)
    assert image.pixels.shape == (3000, 4500, 3)
    assert image.pixels[1500, 1000, 0] < 70 < 170 < image.pixels[1500, 4000, 0]


def test_a_higher_limit_still_decodes_as_small_as_asked_for(large_jpeg: bytes) -> None:
    image = decode_scaled(large_jpeg, ImageLimits(max_pixels=MAX_PIXELS), min_pixels=100_000)
    assert (image.scale, image.pixels.shape) == (8, (750, 1125, 3))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_with_a_higher_limit_other_formats_are_rejected_with_advice(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.images.MAX_DECODED_PIXELS", 2000)
    with pytest.raises(ImageTooLarge, match=f"64 x 32 pixels; a {kind} may have at most 2,000. Send it as JPEG"):
        decode_image(encoded(two_colours(), kind))


def test_with_a_higher_limit_a_png_of_54_million_pixels_is_rejected_unread() -> None:
    with pytest.raises(ImageTooLarge, match="Send it as JPEG"):
        decode_image(png_of_size(9000, 6000), ImageLimits(max_pixels=MAX_PIXELS))


def test_no_jpeg_needs_more_memory_than_the_decoded_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.images.MAX_DECODED_PIXELS", 24)  # an eighth of 64 x 32 has 32 pixels
    with pytest.raises(ImageTooLarge, match="too many pixels"):
        decode_image(encoded(two_colours(), "JPEG"))


def test_several_pictures_in_one_jpeg_are_decoded_at_reduced_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.images.MAX_DECODED_PIXELS", 2000)
    image = decode_scaled(encoded(two_colours(), "MPO", save_all=True, append_images=[two_colours()]))
    assert (image.scale, image.pixels.shape) == (2, (16, 32, 3))


def test_limits_beyond_the_highest_are_rejected() -> None:
    assert ImageLimits().max_pixels == MAX_DECODED_PIXELS
    assert ImageLimits(max_pixels=MAX_PIXELS).max_pixels == 200_000_000
    for wrong in (MAX_PIXELS + 1, 0, -1):
        with pytest.raises(ValueError, match="max_pixels"):
            ImageLimits(max_pixels=wrong)
    with pytest.raises(ValueError, match="max_bytes"):
        ImageLimits(max_bytes=0)
