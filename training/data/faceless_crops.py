"""Crops of photos without people, as if a detector had found a face there."""

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.photos import Photo

CROPS_PER_PHOTO: Final = 2
SMALLEST, LARGEST = 0.25, 0.9  # side of a crop, as a share of the photo's shorter side
ROTATION: Final = 20.0  # degrees, either way


def crop_anywhere(photos: Sequence[Photo], size: int, seed: int) -> NDArray[np.uint8]:
    """CROPS_PER_PHOTO random squares of each photo, turned a little, RGB uint8 (N, size, size, 3)."""
    rng = np.random.default_rng(seed)
    crops = []
    for photo in photos:
        image = Image.open(io.BytesIO(photo.read())).convert("RGB")
        for _ in range(CROPS_PER_PHOTO):
            side = rng.uniform(SMALLEST, LARGEST) * min(image.size)
            left, top = (rng.uniform(0, length - side) for length in image.size)
            turned = image.rotate(
                rng.uniform(-ROTATION, ROTATION), Image.Resampling.BILINEAR, center=(left + side / 2, top + side / 2)
            )
            box = (left, top, left + side, top + side)
            crops.append(np.asarray(turned.resize((size, size), Image.Resampling.BICUBIC, box)))
    return np.stack(crops)
