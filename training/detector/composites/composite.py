"""A training picture of the locator with its labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.images import Pixels


@dataclass(frozen=True)
class Composite:
    """The loss leaves out the boxes `ignored`."""

    pixels: Pixels  # uint8 (S, S, 3)
    faces: NDArray[np.float32]  # (F, 14): box and landmarks, in pixels
    ignored: NDArray[np.float32]  # (I, 4)

    @classmethod
    def without_labels(cls, pixels: Pixels) -> "Composite":
        return cls(pixels, np.zeros((0, 14), np.float32), np.zeros((0, 4), np.float32))
