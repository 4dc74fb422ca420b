"""Upright crops of candidates, sampled from a photo or from a reduction of it that is still fine enough."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.detector.levels import PhotoLevels
from model.images import Pixels

COINCIDE: Final = 2.0**-16  # pixels: landmarks that lie nearer to each other than this define no crop
MARGIN: Final = 2  # pixels outside the crop that bilinear interpolation may read


@dataclass(frozen=True)
class CandidateCrops:
    """Crops of F candidates."""

    pixels: Pixels  # (F, S, S, 3)
    transforms: NDArray[np.float64]  # (F, 2, 3): from the crop to the photo
    is_aligned: NDArray[np.bool_]  # (F,): False where all landmarks coincide; the crop is black then

    def to_photo(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Maps points (F, N, 2) in the crops to the photo."""
        moved = points @ self.transforms[:, :, :2].transpose(0, 2, 1) + self.transforms[:, None, :, 2]
        return np.asarray(moved, np.float64)


def crop_candidates(
    photo: PhotoLevels,
    landmarks: NDArray[np.floating],
    template: NDArray[np.float64],
    size: int,
    *,
    continue_edges: bool = False,
) -> CandidateCrops:
    """Crops candidates so that their landmarks (F, 10), in pixels of the photo, lie on the template (5, 2).

    Does what `model.alignment.align` does, faster and with bilinear interpolation. The crops, `size` pixels a side, are
    black outside the photo, or with `continue_edges` continue the pixels of its edge.
    """
    points = landmarks.reshape(-1, 5, 2).astype(np.float64)
    transforms = _fit_similarities(template, points)
    is_aligned = np.ptp(points, axis=1).max(axis=1, initial=0.0) >= COINCIDE
    pixels = np.zeros((len(points), size, size, 3), np.uint8)
    for row in np.flatnonzero(is_aligned):
        pixels[row] = _sample(photo, transforms[row], size, continue_edges)
    return CandidateCrops(pixels, transforms, is_aligned)


def _fit_similarities(template: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The similarities (F, 2, 3) that best map the template (5, 2) to points (F, 5, 2), see `similarity_transform`."""
    centre, centres = template.mean(axis=0), points.mean(axis=1)
    source, target = template - centre, points - centres[:, None]
    variance = (source**2).sum()
    a = (source * target).sum(axis=(1, 2)) / variance
    b = (source[:, 0] * target[:, :, 1] - source[:, 1] * target[:, :, 0]).sum(axis=1) / variance
    linear = np.stack([np.stack([a, -b], axis=1), np.stack([b, a], axis=1)], axis=1)
    return np.concatenate([linear, (centres - linear @ centre)[:, :, None]], axis=2)


def _sample(photo: PhotoLevels, transform: NDArray[np.float64], size: int, continue_edges: bool) -> Pixels:
    # Averaging whole blocks first avoids aliasing in large faces.
    factor = max(int(np.hypot(transform[0, 0], transform[1, 0])), 1)
    level = photo.coarsest_within(factor)
    blocks = factor // level
    transform = transform / (level * blocks)
    picture = photo.reduced(level)
    columns, rows = -(-picture.width // blocks), -(-picture.height // blocks)
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) @ transform[:, :2].T + transform[:, 2]
    wanted = np.concatenate([np.floor(corners.min(axis=0)) - MARGIN, np.ceil(corners.max(axis=0)) + MARGIN])
    left, top, right, bottom = (int(value) for value in np.clip(wanted, 0, [columns, rows, columns, rows]))
    if right <= left or bottom <= top:
        return np.zeros((size, size, 3), np.uint8)
    if blocks > 1:
        box = left * blocks, top * blocks, min(right * blocks, picture.width), min(bottom * blocks, picture.height)
        picture = picture.reduce(blocks, box)
    else:
        picture = picture.crop((left, top, right, bottom))
    beyond = np.maximum(np.array([left, top, -right, -bottom]) - wanted * (1, 1, -1, -1), 0).astype(int)
    if continue_edges and beyond.any():
        before, after = beyond[:2], beyond[2:]
        padding = ((before[1], after[1]), (before[0], after[0]), (0, 0))
        picture = Image.fromarray(np.pad(np.asarray(picture), padding, mode="edge"))
        left, top = left - before[0], top - before[1]
    (a, b, x), (c, d, y) = transform.tolist()
    coefficients = (a, b, x - left, c, d, y - top)
    crop = picture.transform((size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    return np.asarray(crop)
