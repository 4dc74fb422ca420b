"""Decodes image files to upright RGB pixels. Every limit on an input image is checked here."""

import functools
import io
import struct
import zlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pillow_heif
from PIL import AvifImagePlugin, ExifTags, Image, UnidentifiedImageError

from model.errors import CorruptImage, EmptyImage, ImageTooLarge, PhotoError, PhotoTooExpensive, UnsupportedImage
from model.jpeg import END_OF_IMAGE, FILLINGS, count_scans, lacks_end_marker
from model.rgb import SIDEWAYS, Empty, empty_pixels, to_rgb
from model.rgb import Pixels as Pixels

MAX_PIXELS: Final = 200_000_000  # the highest limit that can be set
MAX_DECODED_PIXELS: Final = 50_331_648  # 8192 x 6144: larger photos must be JPEG, which is decoded at 1/2 or less

FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF", "AVIF")
FORMAT_NAMES: Final = "JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC or AVIF"

# What Pillow's decoders raise for damaged files, besides OSError.
_DECODER_ERRORS: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error)
_JPEG: Final = ("JPEG", "MPO")  # phones write MPO: several pictures in one JPEG, opened by the decoder of JPEG
# Measured; Pillow itself holds 4. WebP's decoder has two more copies, HEIF's and AVIF's their planes.
_BYTES_PER_PIXEL: Final = {"WEBP": 16, "HEIF": 7, "AVIF": 12}
_PROGRESSIVE_BYTES_PER_PIXEL: Final = 8  # the decoder keeps 2 bytes of each of up to four components
MAX_SCANS: Final = 100  # of a JPEG; encoders write about ten
_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"II*\0", b"MM\0*", b"GIF8")


@dataclass(frozen=True)
class ImageLimits:
    """The largest image that is accepted. `max_pixels` is checked before any pixel is decoded.

    An image of more than MAX_DECODED_PIXELS is accepted only as JPEG, which can be decoded with fewer pixels. Raises
    ValueError if a limit is not positive, or `max_pixels` exceeds MAX_PIXELS.
    """

    max_bytes: int = 20 * 1024 * 1024
    max_pixels: int = MAX_DECODED_PIXELS

    def __post_init__(self) -> None:
        if not 0 < self.max_pixels <= MAX_PIXELS:
            raise ValueError(f"max_pixels must lie in 1..{MAX_PIXELS}, not {self.max_pixels}")
        if self.max_bytes <= 0:
            raise ValueError(f"max_bytes must be positive, not {self.max_bytes}")


@functools.cache
def set_up_decoders() -> None:
    """Loads every decoder, and lifts Pillow's own limit on pixels: `ImageLimits` has the limit here."""
    pillow_heif.register_heif_opener()
    Image.init()
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # requests are what runs at the same time
    Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image: upright RGB `pixels`, uint8 (H, W, 3), at 1 / `scale` of the photo's size.

    `width` and `height` are those of the photo. `ends_early`: a JPEG without its end marker, otherwise whole.
    """

    pixels: Pixels
    scale: int
    width: int
    height: int
    ends_early: bool = False


def decode_image(data: bytes, limits: ImageLimits | None = None) -> Pixels:
    """Decodes the first frame of an image file, or HEIC's primary image, to upright RGB, uint8 (H, W, 3), at full size.

    A JPEG of more than MAX_DECODED_PIXELS is decoded at 1/2, 1/4 or 1/8 of its size.

    Applies the EXIF orientation, blends transparency with white, and scales 16-bit grey to 8 bits. A JPEG may lack its
    end marker, but no bit of its pixels.

    Raises EmptyImage, ImageTooLarge, UnsupportedImage, CorruptImage or PhotoTooExpensive.
    """
    return decode_scaled(data, limits).pixels


def decode_scaled(
    data: bytes, limits: ImageLimits | None = None, min_pixels: int | None = None, empty: Empty = empty_pixels
) -> DecodedImage:
    """Decodes like `decode_image`, but may return a large photo at 1/2, 1/4 or 1/8 of its size.

    That needs less memory, and for a JPEG less time. The result has at least `min_pixels` pixels if the photo does;
    None decodes at full size, or a JPEG at the largest size within MAX_DECODED_PIXELS. `empty` makes the array of the
    pixels. Raises the same errors.
    """
    limits = limits or ImageLimits()
    if not data:
        raise EmptyImage("The image is empty (0 bytes). Send the bytes of a photo.")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"The image has {len(data):,} bytes; at most {limits.max_bytes:,} are accepted. Send a smaller photo."
        )
    set_up_decoders()
    if not lacks_end_marker(data):
        return _decode(data, limits, min_pixels, empty)
    data = data.rstrip(b"\xff")  # half of the marker
    # Whatever follows the last bit of a whole picture changes nothing.
    filled = [_decode(data + each + END_OF_IMAGE, limits, min_pixels, empty_pixels).pixels for each in FILLINGS]
    image = _decode(data + END_OF_IMAGE, limits, min_pixels, empty)
    if not all(np.array_equal(image.pixels, each) for each in filled):
        raise damaged()
    return replace(image, ends_early=True)


def _decode(data: bytes, limits: ImageLimits, min_pixels: int | None, empty: Empty) -> DecodedImage:
    image = _open(data)
    with image:
        width, height = image.size
        if width * height > limits.max_pixels:
            raise ImageTooLarge(
                f"The image has {width} x {height} pixels; at most {limits.max_pixels:,} are accepted. "
                "Send a smaller photo."
            )
        if width * height > MAX_DECODED_PIXELS:
            if image.format not in _JPEG:
                raise ImageTooLarge(
                    f"The image has {width} x {height} pixels; a {image.format} may have at most "
                    f"{MAX_DECODED_PIXELS:,}. Send it as JPEG, or send a smaller photo."
                )
            min_pixels = min_pixels or MAX_DECODED_PIXELS // 4
        if image.format in _JPEG and count_scans(data) > MAX_SCANS:
            raise too_expensive()
        try:
            if image.format != "HEIF":  # opened at its primary image, which need not be the first
                image.seek(0)
            scale = _reduction(width * height, min_pixels)
            drafted = _draft(image, scale) if image.format in _JPEG else 1
            scale = drafted if drafted > 1 else scale
            if image.size[0] * image.size[1] > MAX_DECODED_PIXELS:  # a JPEG that cannot be decoded with fewer pixels
                raise ImageTooLarge("The JPEG has too many pixels for its encoding. Send a smaller photo.")
            image.load()
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            if image.format == "BMP" and _is_all_transparent(image):
                image = image.convert("RGB")
            pixels = to_rgb(image, orientation, scale // drafted, empty)
        except _DECODER_ERRORS as error:
            raise damaged() from error
        if orientation in SIDEWAYS:
            width, height = height, width
        return DecodedImage(pixels, scale, width, height)


def too_expensive() -> PhotoTooExpensive:
    """Returns the error of a photo that takes too much time or memory."""
    return PhotoTooExpensive(
        "The image takes too much time or memory to decode. Save it again as an ordinary JPEG, or send a smaller photo."
    )


def decoder_bytes(data: bytes) -> int:
    """Returns about how much memory an image's decoder needs, by its header; 0 if that cannot be read."""
    set_up_decoders()
    try:
        with _open(data) as image:
            progressive = image.format in _JPEG and "progressive" in image.info
            each = _PROGRESSIVE_BYTES_PER_PIXEL if progressive else _BYTES_PER_PIXEL.get(image.format or "", 4)
            return image.size[0] * image.size[1] * each
    except PhotoError:
        return 0


def _reduction(pixels: int, min_pixels: int | None) -> int:
    """Returns 8, 4 or 2 if a photo of so many pixels may be reduced by it, otherwise 1."""
    return next((scale for scale in (8, 4, 2) if min_pixels and pixels >= min_pixels * scale**2), 1)


def _draft(image: Image.Image, scale: int) -> int:
    """Sets the JPEG decoder to reduce by `scale`, and returns the factor by which it will: 1 if it cannot."""
    width, height = image.size
    if scale == 1 or image.draft(None, (-(-width // scale), -(-height // scale))) is None:
        return 1
    return round(width / image.size[0])


def _is_all_transparent(image: Image.Image) -> bool:
    """Says whether every alpha is 0: many programs that write BMP leave it so, and mean an opaque picture."""
    return image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        if data.startswith(_MAGIC):
            raise damaged() from error
        raise UnsupportedImage(f"The file is not an image in a supported format. Send {FORMAT_NAMES}.") from error
    except _DECODER_ERRORS as error:
        raise damaged() from error


def damaged() -> CorruptImage:
    """Returns the error of a photo that a decoder cannot read to its end."""
    return CorruptImage("The image is truncated or damaged. Send the whole file again.")
