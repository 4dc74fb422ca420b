"""Faces as a child would draw them: nobody's, so the detector should find none."""

from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from model.images import Pixels

SIDE: Final = 300  # pixels
COUNT: Final = 24  # drawings by `draw_faces`


def draw_faces() -> list[Pixels]:
    """COUNT drawings of different shapes and colours, uint8 (SIDE, SIDE, 3); the same in every call."""
    return [np.array(_draw_variant(np.random.default_rng(number))) for number in range(COUNT)]


def draw_face() -> Image.Image:
    """The drawing of the example pictures."""
    page = Image.new("RGB", (SIDE, SIDE), (250, 248, 240))
    draw = ImageDraw.Draw(page)
    draw.ellipse([60, 50, 240, 250], outline="black", width=4)
    for x in (115, 185):
        draw.ellipse([x - 12, 115, x + 12, 139], outline="black", width=3)
        draw.ellipse([x - 4, 124, x + 4, 132], fill="black")
    draw.line([150, 140, 142, 175, 156, 175], fill="black", width=3)
    draw.arc([105, 160, 195, 215], 10, 170, fill="red", width=4)
    return page


def _draw_variant(rng: np.random.Generator) -> Image.Image:
    page = Image.new("RGB", (SIDE, SIDE), _random_colour(rng, 150, 256))
    draw = ImageDraw.Draw(page)
    ink, pen = _random_colour(rng, 0, 90), int(rng.integers(2, 8))
    width, height = rng.uniform(60, 110, 2)
    x, y = rng.uniform(125, 175, 2)
    skin = _random_colour(rng, 130, 256) if rng.random() < 0.6 else None
    draw.ellipse([x - width, y - height, x + width, y + height], fill=skin, outline=ink, width=pen)
    apart, eye = width * rng.uniform(0.3, 0.45), width * rng.uniform(0.06, 0.16)
    for side in (-1, 1):
        left, top = x + side * apart - eye, y - height * 0.25 - eye
        filled = ink if rng.random() < 0.5 else None
        draw.ellipse([left, top, left + 2 * eye, top + 2 * eye], fill=filled, outline=ink, width=pen)
    if rng.random() < 0.6:
        draw.line(
            [x, y - height * 0.1, x - width * 0.1, y + height * 0.2, x + width * 0.05, y + height * 0.2], ink, pen
        )
    mouth = [x - width * 0.5, y + height * 0.05, x + width * 0.5, y + height * 0.6]
    draw.arc(mouth, 15, 165, fill=(200, 30, 30) if rng.random() < 0.5 else ink, width=pen)
    return page.rotate(float(rng.uniform(-15, 15)), Image.Resampling.BICUBIC, fillcolor=page.getpixel((0, 0)))


def _random_colour(rng: np.random.Generator, low: int, high: int) -> tuple[int, ...]:
    return tuple(int(value) for value in rng.integers(low, high, 3))
