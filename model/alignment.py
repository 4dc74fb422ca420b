"""Five landmarks -> a square crop in which every face stands in the same place."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.images import Pixels

VERSION: Final = "similarity-bicubic-1"

GRID: Final = 2**16  # parts of a pixel
MARGIN: Final = 4  # pixels that bicubic interpolation may reach beyond the crop

# Where MTCNN's five points lie on average in dlib's 150 px face chips (padding 0.25), in pixels.
CHIP_SIZE: Final = 150
CHIP_TEMPLATE: Final = ((48.4, 46.6), (102.6, 46.5), (75.0, 78.9), (51.3, 105.6), (99.2, 106.1))


def chip_template(size: int) -> NDArray[np.float64]:
    """The standard frame, (5, 2) in pixels, for square crops of `size` pixels."""
    return np.array(CHIP_TEMPLATE, np.float64) * (size / CHIP_SIZE)


def template_for(frame: NDArray[np.floating], template: NDArray[np.floating]) -> NDArray[np.float64]:
    """`template` (5, 2), which is where MTCNN's landmarks come to lie in a crop, for a detector whose landmarks lie at
    `frame` (5, 2) of dlib's chips instead: so that the same face fills the same crop whoever found it."""
    standard = np.array(CHIP_TEMPLATE, np.float64)
    linear = similarity_transform(standard, np.asarray(template, np.float64))[:, :2]
    return np.asarray(template + (np.asarray(frame, np.float64) - standard) @ linear.T, np.float64)


def similarity_transform(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """The rotation, uniform scale and shift, (2, 3), that carries `source` (N, 2) nearest to `target` (N, 2) in least
    squares (Umeyama 1991; no reflection). Raises ValueError where all source points coincide."""
    source, target = source.astype(np.float64), target.astype(np.float64)
    mean_s, mean_t = source.mean(axis=0), target.mean(axis=0)
    s, t = source - mean_s, target - mean_t
    spread = float((s**2).sum())
    if spread <= 1e-12:
        raise ValueError("the landmarks coincide, so that they define no orientation")
    # In the plane, scale * rotation is the complex number a + ib.
    a = float((s * t).sum()) / spread
    b = float((s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum()) / spread
    linear = np.array([[a, -b], [b, a]])
    return np.hstack([linear, (mean_t - linear @ mean_s)[:, None]])


def detail(landmarks: NDArray[np.floating], template: NDArray[np.floating]) -> float:
    """Pixels of the photo, a side, that go into a pixel of the crop: below 1, the crop has less detail than it could
    hold."""
    linear = similarity_transform(template, landmarks)[:, :2]
    return float(np.sqrt(np.linalg.det(linear)))


def align(image: Pixels, landmarks: NDArray[np.floating], template: NDArray[np.floating], size: int) -> Pixels:
    """The crop, uint8 (size, size, 3), in which `landmarks` (5, 2) of `image` (H, W, 3) come to lie on `template`
    (5, 2), both in pixels. Black where the photo has nothing. Bicubic, averaged first where the face is larger than
    the crop."""
    landmarks = landmarks.astype(np.float64)
    linear = similarity_transform(template, landmarks)[:, :2]  # crop -> photo
    # Averaging whole blocks first keeps large faces free of aliasing.
    factor = max(int(detail(landmarks, template)), 1)
    # From here on in blocks of the photo, on a grid fine enough not to matter and coarse enough for exact sums: so the
    # same pixel comes out whatever the margin around the crop.
    linear = _on_grid(linear / factor)
    offset = _on_grid(landmarks.mean(axis=0) / factor - linear @ template.mean(axis=0))
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float64) @ linear.T + offset
    rows, columns = -(-image.shape[0] // factor), -(-image.shape[1] // factor)
    left, top = np.clip(np.floor(corners.min(axis=0)) - MARGIN, 0, [columns, rows]).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + MARGIN, 0, [columns, rows]).astype(int)
    if right <= left or bottom <= top:
        return np.zeros((size, size, 3), np.uint8)
    needed = image[top * factor : bottom * factor, left * factor : right * factor]
    region = Image.fromarray(np.ascontiguousarray(needed)).reduce(factor)
    coefficients = np.hstack([linear, (offset - (left, top))[:, None]]).ravel().tolist()
    crop = region.transform((size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    return np.array(crop)


def _on_grid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.round(values * GRID) / GRID, np.float64)
