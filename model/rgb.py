"""Turns a decoded image into upright RGB, band by band: beside the image and the result, it needs little memory."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import UnsupportedImage

Pixels = NDArray[np.uint8]
Empty = Callable[[tuple[int, int, int]], Pixels]

BAND_PIXELS: Final = 2**20
# How to turn pixels (H, W, 3) that are upright into those of a file with this EXIF orientation. All are views.
_TURNS: Final[Mapping[int, Callable[[Pixels], Pixels]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels[:, ::-1].transpose(1, 0, 2),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: pixels[::-1].transpose(1, 0, 2),
}
SIDEWAYS: Final = (5, 6, 7, 8)  # orientations that exchange width and height


def empty_pixels(shape: tuple[int, int, int]) -> Pixels:
    """Returns an array of this shape with any values."""
    return np.empty(shape, np.uint8)


def to_rgb(image: Image.Image, orientation: int, scale: int, empty: Empty = empty_pixels) -> Pixels:
    """Returns the image upright, at 1 / `scale` of its size, as uint8 (H, W, 3) in an array that `empty` makes.

    Blends transparency with white, and scales 16-bit grey to 8 bits. Raises UnsupportedImage for floating-point pixels.
    """
    if image.mode == "F":
        raise UnsupportedImage("Floating-point images are not supported. Send 8 or 16 bits a channel.")
    width, height = -(-image.size[0] // scale), -(-image.size[1] // scale)
    shape = (width, height, 3) if orientation in SIDEWAYS else (height, width, 3)
    upright = empty(shape)
    turn = _TURNS.get(orientation)
    as_in_file = turn(upright) if turn else upright
    divisor = _grey_divisor(image)
    rows = max(BAND_PIXELS // (image.size[0] * scale), 1) * scale
    for top in range(0, image.size[1], rows):
        bottom = min(top + rows, image.size[1])
        whole = bottom - top == image.size[1]
        band = _rgb_band(image if whole else image.crop((0, top, image.size[0], bottom)), divisor)
        reduced = band.reduce(scale) if scale > 1 else band
        as_in_file[top // scale : -(-bottom // scale)] = np.asarray(reduced)
    return upright


def _grey_divisor(image: Image.Image) -> float | None:
    """Returns what divides more than 8 bits of grey, which Pillow would clip; None for all other images."""
    if not image.mode.startswith("I"):
        return None
    if image.mode != "I":
        return 257.0
    extrema = image.getextrema()
    return 257.0 if isinstance(extrema[1], int) and extrema[1] > 255 else 1.0  # files use 8 or 16 of mode I's 32 bits


def _rgb_band(image: Image.Image, grey_divisor: float | None) -> Image.Image:
    if grey_divisor is not None:
        grey = np.asarray(image).astype(np.float32) / grey_divisor
        image = Image.fromarray(np.clip(grey, 0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("RGB")
