"""The resolutions at which a photo is searched for faces.

YuNet finds faces from about 5 pixels between the eyes on, so a photo can be reduced by 4 before faces of 20 pixels are
lost. Small photos are reduced less. Photos in which a face could be far larger than those that YuNet was trained on are
searched at coarser resolutions, too, at a sixteenth of the cost each.
"""

import math
from typing import Final

import numpy as np
from PIL import Image

from model.images import Pixels

SMALLEST_EYE_DISTANCE: Final = 20  # pixels: smaller faces may be missed
BASE_PIXELS: Final = 160 * 160  # a photo is reduced to this ...
MAX_FACTOR: Final = 4  # ... but by no more than this
LARGEST_SIDE: Final = 640  # pixels of the reduced photo, from which on a coarser resolution follows
COARSER: Final = 4  # the ratio of two resolutions


def base_factor(height: int, width: int, reduced_by: int = 1) -> int:
    """The factor by which an image is reduced for its main search, at least 1.

    The image has this size and 1 / `reduced_by` of the photo's. Both reductions together are at most MAX_FACTOR, if
    `reduced_by` is.
    """
    most = max(MAX_FACTOR // reduced_by, 1)
    return min(max(math.ceil(math.sqrt(height * width / BASE_PIXELS)), 1), most)


def plan_factors(height: int, width: int, reduced_by: int = 1) -> list[int]:
    """All factors at which an image is searched, the base factor first. Arguments as of `base_factor`."""
    factors = [base_factor(height, width, reduced_by)]
    while max(height, width) / factors[-1] > LARGEST_SIDE:
        factors.append(factors[-1] * COARSER)
    return factors


class PhotoLevels:
    """A photo, and the reductions of it that were asked for, so that each is computed once."""

    def __init__(self, image: Pixels) -> None:
        """`image`: RGB uint8 (H, W, 3)."""
        self._levels = {1: Image.fromarray(np.ascontiguousarray(image))}

    def reduced(self, factor: int) -> Image.Image:
        """The means of blocks of `factor` x `factor` pixels."""
        if factor not in self._levels:
            self._levels[factor] = self._levels[1].reduce(factor)
        return self._levels[factor]

    def coarsest_within(self, factor: int) -> int:
        """The largest factor by which the photo is reduced already, up to `factor`."""
        return max(level for level in self._levels if level <= factor)


def reduce_image(image: Pixels, factor: int) -> Pixels:
    """The means of blocks of `factor` x `factor` pixels, uint8 (H / factor, W / factor, 3): fast, and no aliasing."""
    if factor == 1:
        return np.ascontiguousarray(image)
    return np.array(Image.fromarray(image).reduce(factor))
