"""The layout of what the detector's networks take and give. The service needs it without the networks' code."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.alignment import chip_template

VALUES: Final = 15  # of a face: left, top, right, bottom, score, then x and y of each landmark
MAX_IOU: Final = 0.3  # non-maximum suppression drops a box that overlaps a better one by more
CROP_SIZE: Final = 48  # pixels of the refiner's crops; their template is `chip_template(CROP_SIZE)`
CLOSE_SIZE: Final = 96  # pixels of the crops of doubtful candidates, see model/detector/close_look.py
COORDINATES: Final = 10  # x and y of five landmarks
CLOSE_FACE: Final = 0.5  # the size of a face in a close crop, as a share of one that fills it
CLOSE_DOWN: Final = 0.02  # how far its landmarks' centre lies below the middle, as a share of the crop


def close_template() -> NDArray[np.float64]:
    """Returns the positions of a candidate's landmarks in its close crop, (5, 2) in pixels."""
    template = chip_template(CLOSE_SIZE)
    middle = [CLOSE_SIZE * 0.5, CLOSE_SIZE * (0.5 + CLOSE_DOWN)]
    return np.asarray((template - template.mean(axis=0)) * CLOSE_FACE + middle, np.float64)
