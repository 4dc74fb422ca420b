"""Random textures: backgrounds that show no face."""

import numpy as np
from PIL import Image, ImageDraw

from model.images import Pixels


def draw_texture(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """Draws smooth noise of random coarseness with up to five discs and stripes, uint8 (height, width, 3)."""
    cells = int(rng.integers(1, 24))
    noise = rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
    picture = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(0, 6))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        radius = rng.uniform(0.03, 0.4) * min(width, height)
        colour = tuple(int(level) for level in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
        else:
            end = (rng.uniform(0, width), rng.uniform(0, height))
            draw.line([x, y, *end], fill=colour, width=max(int(radius / 3), 1))
    return np.array(picture)
