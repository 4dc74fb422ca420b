"""Cuts a face out of its photo with its surroundings, as Silent-Face-Anti-Spoofing does.

The edge of a sheet of paper or of a screen shows only beside the face, so these crops are several times as large as the
face, and are not aligned.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.face import Face
from model.images import Pixels

WEIGHT_STEPS: Final = 2048  # OpenCV's weights of a pixel are multiples of 1 / WEIGHT_STEPS


@dataclass(frozen=True)
class BoxCorrection:
    """Turns a face's box into the box that the networks' own detector would have found, on average.

    `right` and `down` move its centre by a share of its width and height; `width` and `height` multiply its sides.
    """

    right: float = 0.0
    down: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def apply(self, box: NDArray[np.floating]) -> NDArray[np.float64]:
        """Corrects boxes, left, top, right, bottom: (..., 4)."""
        box = np.asarray(box, np.float64)
        centre, sides = (box[..., :2] + box[..., 2:]) / 2, box[..., 2:] - box[..., :2]
        centre = centre + sides * (self.right, self.down)
        sides = sides * (self.width, self.height)
        return np.concatenate([centre - sides / 2, centre + sides / 2], axis=-1)


@dataclass(frozen=True)
class CropRule:
    """How a face is cut out: one crop of `size` pixels for each of `scales`, in sides of the corrected box."""

    scales: tuple[float, ...]
    size: int
    correction: BoxCorrection

    def cut(self, image: Pixels, face: Face) -> Pixels:
        """Cuts a face out of an RGB image, uint8 (H, W, 3), in whose pixels its box is.

        Returns uint8 (len(scales), size, size, 3), upright even if the face was found in a rotated photo.
        """
        upright = np.rot90(image, face.rotation // 90)
        box = self.correction.apply(_rotate_box(face.box, face.rotation // 90, image.shape[1], image.shape[0]))
        regions = [
            find_region(upright.shape[1], upright.shape[0], to_whole_pixels(box), scale) for scale in self.scales
        ]
        crops = [upright[top : bottom + 1, left : right + 1] for left, top, right, bottom in regions]
        return np.stack([resize_bilinear(crop, self.size) for crop in crops])


def to_whole_pixels(box: NDArray[np.floating]) -> tuple[int, int, int, int]:
    """Left, top, width and height of a box (4,), rounded as the networks' own detector rounds."""
    left, top, right, bottom = (float(v) for v in box)
    return int(left), int(top), max(int(right - left + 1), 1), max(int(bottom - top + 1), 1)


def find_region(width: int, height: int, box: tuple[int, int, int, int], scale: float) -> tuple[int, int, int, int]:
    """The region around a box (left, top, width, height) with `scale` times its sides, in an image of this size.

    Where the region would leave the image, it is moved inside; where it would be larger than the image, it is
    scaled down. Returns its first and last columns and rows: left, top, right, bottom, inclusive.
    """
    x, y, box_width, box_height = box
    scale = min(scale, (height - 1) / box_height, (width - 1) / box_width)
    left, right = _move_inside(x + box_width / 2, box_width * scale, width)
    top, bottom = _move_inside(y + box_height / 2, box_height * scale, height)
    return left, top, right, bottom


def resize_bilinear(image: Pixels, size: int) -> Pixels:
    """Resizes uint8 (H, W, 3) to (size, size, 3) by bilinear interpolation without smoothing, as OpenCV does.

    The networks learned from such crops. A value differs from OpenCV's by at most one grey level.
    """
    rows, columns = _pair_pixels(image.shape[0], size), _pair_pixels(image.shape[1], size)

    def mix_columns(row: NDArray[np.intp]) -> NDArray[np.int32]:
        line = image[row]
        first, second = (line[:, at].astype(np.int32) for at in (columns.first, columns.second))
        return (first * columns.first_weight[:, None] + second * columns.second_weight[:, None]) >> 4

    upper = (mix_columns(rows.first) * rows.first_weight[:, None, None]) >> 16
    lower = (mix_columns(rows.second) * rows.second_weight[:, None, None]) >> 16
    return ((upper + lower + 2) >> 2).astype(np.uint8)


@dataclass(frozen=True)
class _PixelPairs:
    """The two pixels between which each pixel of the result lies, and their weights in WEIGHT_STEPS."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    first_weight: NDArray[np.int32]
    second_weight: NDArray[np.int32]


def _pair_pixels(length: int, size: int) -> _PixelPairs:
    place = ((np.arange(size) + 0.5) * (length / size) - 0.5).astype(np.float32)  # pixel centres lie at halves
    first = np.floor(place).astype(np.intp)
    share = np.where((first < 0) | (first >= length - 1), np.float32(0), place - first.astype(np.float32))
    first = np.clip(first, 0, length - 1)
    weights = (np.rint(each * WEIGHT_STEPS).astype(np.int32) for each in (1 - share, share))
    return _PixelPairs(first, np.minimum(first + 1, length - 1), *weights)


def _move_inside(centre: float, side: float, length: int) -> tuple[int, int]:
    first, last = centre - side / 2, centre + side / 2
    if first < 0:
        first, last = 0.0, last - first
    if last > length - 1:
        first, last = first - (last - length + 1), length - 1.0
    return max(int(first), 0), int(last)


def _rotate_box(box: NDArray[np.floating], quarter_turns: int, width: int, height: int) -> NDArray[np.float64]:
    """A box of an image of width x height in the image rotated counter-clockwise."""
    corners = np.asarray(box, np.float64).reshape(2, 2)
    x, y = corners[:, 0], corners[:, 1]
    turned = {0: (x, y), 1: (y, width - x), 2: (width - x, height - y), 3: (height - y, x)}[quarter_turns]
    points = np.stack(turned, axis=1)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
