"""Bytes -> upright RGB pixels. Every limit on an input image lives here."""

import functools
import io
import struct
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from model.errors import CorruptImage, EmptyImage, ImageTooLarge, UnsupportedImage

Pixels = NDArray[np.uint8]

# Pillow's own limit; above it Pillow warns, above twice that it refuses.
MOST_PIXELS: Final = 89_478_485

# MPO, the phones' several-pictures JPEG, is opened as JPEG.
FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF")
READABLE: Final = "JPEG, PNG, WebP, BMP, TIFF, GIF or HEIC"

# What a damaged file makes Pillow's decoders raise, besides OSError.
_DAMAGED: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error)
_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"II*\0", b"MM\0*", b"GIF8")


@dataclass(frozen=True)
class ImageLimits:
    """The largest image that is read. `max_pixels` is checked before any pixel is decoded."""

    max_bytes: int = 20 * 1024 * 1024
    max_pixels: int = 50_000_000

    def __post_init__(self) -> None:
        if not 0 < self.max_pixels <= MOST_PIXELS:
            raise ValueError(f"max_pixels must lie in 1..{MOST_PIXELS}, not {self.max_pixels}")
        if self.max_bytes <= 0:
            raise ValueError(f"max_bytes must be positive, not {self.max_bytes}")


@functools.cache
def _register_heif() -> None:
    pillow_heif.register_heif_opener()


@dataclass(frozen=True)
class Decoded:
    """An image file as upright RGB: `pixels` uint8 (H, W, 3), each of which stands for `scale` x `scale` of the photo,
    whose own size is `width` x `height`."""

    pixels: Pixels
    scale: int
    width: int
    height: int


def decode_image(data: bytes, limits: ImageLimits | None = None) -> Pixels:
    """The first frame of an image file as upright RGB, uint8 (H, W, 3).

    EXIF orientation is applied, transparency is laid on white, 16-bit grey is scaled to 8.

    Raises EmptyImage, ImageTooLarge, UnsupportedImage, CorruptImage.
    """
    return decode_scaled(data, limits).pixels


def decode_scaled(data: bytes, limits: ImageLimits | None = None, enough: int | None = None) -> Decoded:
    """The same with `enough` pixels or more where the file is a JPEG that has many times as many: its decoder can leave
    out detail, which takes a fraction of the time. Raises the same."""
    limits = limits or ImageLimits()
    if not data:
        raise EmptyImage("The image is empty (0 bytes). Send the bytes of a photo.")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"The image has {len(data):,} bytes; at most {limits.max_bytes:,} are read. Send a smaller photo."
        )
    _register_heif()
    image = _open(data)
    with image:
        width, height = image.size
        if width * height > limits.max_pixels:
            raise ImageTooLarge(
                f"The image has {width} x {height} pixels; at most {limits.max_pixels:,} are read. Send a smaller one."
            )
        try:
            image.seek(0)
            scale = _leave_out(image, enough) if enough and image.format == "JPEG" else 1
            image.load()
            upright = ImageOps.exif_transpose(image)
            if upright.size != image.size:
                width, height = height, width
            return Decoded(_to_rgb(upright), scale, width, height)
        except _DAMAGED as error:
            raise CorruptImage("The image is cut off or damaged. Send the whole file again.") from error


def _leave_out(image: Image.Image, enough: int) -> int:
    """Tells the decoder to make one pixel of 2 x 2, 4 x 4 or 8 x 8; how many that are a side."""
    width, height = image.size
    scale = next((scale for scale in (8, 4, 2) if width * height >= enough * scale**2), 1)
    if scale == 1 or image.draft(None, (-(-width // scale), -(-height // scale))) is None:
        return 1
    return round(width / image.size[0])


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageTooLarge("The image has far too many pixels. Send a smaller photo.") from error
    except UnidentifiedImageError as error:
        if data.startswith(_MAGIC):
            raise CorruptImage("The image is cut off or damaged. Send the whole file again.") from error
        raise UnsupportedImage(f"This is not an image that can be read. Send {READABLE}.") from error
    except _DAMAGED as error:
        raise CorruptImage("The image is cut off or damaged. Send the whole file again.") from error


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I"):  # more than 8 bits of grey, which Pillow would clip instead of scale
        grey = np.asarray(image).astype(np.float32)
        if image.mode != "I" or grey.max() > 255:  # plain I holds 32 bits, of which files use 8 or 16
            grey = grey / 257.0
        image = Image.fromarray(np.clip(grey, 0, 255).round().astype(np.uint8))
    elif image.mode == "F":
        raise UnsupportedImage("Floating-point images have no defined brightness. Send 8 or 16 bits a channel.")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.array(image.convert("RGB"))  # (H, W, 3), a writable copy of our own
