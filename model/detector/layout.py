"""The layout of what the detector's networks take and give. The service needs it without the networks' code."""

from typing import Final

VALUES: Final = 15  # of a face: left, top, right, bottom, score, then x and y of each landmark
MAX_IOU: Final = 0.3  # non-maximum suppression drops a box that overlaps a better one by more
CROP_SIZE: Final = 48  # pixels of the refiner's crops; their template is `chip_template(CROP_SIZE)`
CLOSE_SIZE: Final = 96  # pixels of the crops of doubtful candidates, see model/detector/close_look.py
COORDINATES: Final = 10  # x and y of five landmarks
