"""Alignment: a similarity transform that maps five landmarks to fixed positions in a square crop."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.images import Pixels

# The ways to cut a crop, by name: a bundle says which one it needs. Both fit the landmarks by least squares; the second
# then shows more of a turned face (see `widen`).
PLAIN: Final = "similarity-bicubic-1"
WIDENED: Final = "similarity-bicubic-2"
ALIGNMENTS: Final = (PLAIN, WIDENED)
WORST_FIT: Final = 0.75  # a fit below counts as this, so that a crop never shows much more than the face

SUBPIXEL_STEPS: Final = 2**16  # coordinates are rounded to this fraction of a pixel
MARGIN: Final = 4  # pixels outside the crop that bicubic interpolation may read

# Mean positions of MTCNN's five landmarks in dlib's 150 px face chips (padding 0.25), in pixels.
CHIP_SIZE: Final = 150
CHIP_TEMPLATE: Final = ((48.4, 46.6), (102.6, 46.5), (75.0, 78.9), (51.3, 105.6), (99.2, 106.1))


def chip_template(size: int) -> NDArray[np.float64]:
    """Returns the standard template, (5, 2) in pixels, for square crops of `size` pixels."""
    return np.array(CHIP_TEMPLATE, np.float64) * (size / CHIP_SIZE)


# The templates by name: positions of the landmarks in units of the crop's side, for MTCNN's landmarks. "sface" is the
# usual template for crops of 112 pixels (Deng et al. 2019, 'ArcFace'); "retail-0095" is that of Open Model Zoo's
# face-reidentification-retail-0095.
TEMPLATES: Final[Mapping[str, NDArray[np.float64]]] = {
    "dlib": chip_template(1),
    "sface": np.array(
        [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)], np.float64
    )
    / 112,
    "retail-0095": np.array(
        [(0.3156, 0.4616), (0.6826, 0.4616), (0.5003, 0.6405), (0.3495, 0.8247), (0.6534, 0.8247)], np.float64
    ),
}


def named_template(name: str, size: int) -> NDArray[np.float64]:
    """Returns one of TEMPLATES, (5, 2) in pixels, for square crops of `size` pixels."""
    return TEMPLATES[name] * size


def name_template(template: NDArray[np.floating], size: int) -> str:
    """Returns the name of a template (5, 2) for crops of `size` pixels, up to rounding.

    Raises ValueError if it is none of TEMPLATES.
    """
    for name, each in TEMPLATES.items():
        if np.abs(each * size - template).max() < 0.01 * size:
            return name
    raise ValueError(f"the template for crops of {size} pixels is none of {', '.join(TEMPLATES)}")


def adapt_template(reference_landmarks: NDArray[np.floating], template: NDArray[np.floating]) -> NDArray[np.float64]:
    """Adapts a template (5, 2), which is defined for MTCNN's landmarks, to another detector.

    `reference_landmarks` (5, 2) are the mean positions of that detector's landmarks in dlib's chips. With the adapted
    template, a face fills the same crop whichever detector found it.
    """
    standard = np.array(CHIP_TEMPLATE, np.float64)
    linear = similarity_transform(standard, np.asarray(template, np.float64))[:, :2]
    offsets = np.asarray(reference_landmarks, np.float64) - standard
    return np.asarray(template + offsets @ linear.T, np.float64)


def similarity_transform(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns the rotation, uniform scale and translation, (2, 3), that best maps `source` (N, 2) to `target` (N, 2) in
    the least-squares sense (Umeyama 1991; no reflection). Raises ValueError if all source points coincide."""
    source, target = source.astype(np.float64), target.astype(np.float64)
    mean_s, mean_t = source.mean(axis=0), target.mean(axis=0)
    s, t = source - mean_s, target - mean_t
    variance = float((s**2).sum())
    if variance <= 1e-12:
        raise ValueError("the landmarks coincide, so they define no orientation")
    # In two dimensions, scale * rotation is the complex number a + ib.
    a = float((s * t).sum()) / variance
    b = float((s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum()) / variance
    linear = np.array([[a, -b], [b, a]])
    return np.hstack([linear, (mean_t - linear @ mean_s)[:, None]])


def widen(template: NDArray[np.floating], landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns the template (5, 2), drawn together about its mean as far as these landmarks (5, 2) fit it badly.

    The landmarks of a turned face are narrower than the template. Least squares makes up for that with a larger scale,
    and cuts the face too tightly. The fit is the share, 0..1, of the template's spread that the landmarks explain; the
    template shrinks by its square, which decision 38 chose. Raises ValueError if all landmarks coincide.
    """
    there, back = similarity_transform(template, landmarks), similarity_transform(landmarks, template)
    fit = max(float(np.sqrt(np.linalg.det(there[:, :2]) * np.linalg.det(back[:, :2]))), WORST_FIT)
    mean = template.mean(axis=0)
    return np.asarray(mean + (template - mean) * fit**2, np.float64)


def downscaling_factor(landmarks: NDArray[np.floating], template: NDArray[np.floating]) -> float:
    """Returns the side of a crop pixel in pixels of the photo. Below 1, the crop is enlarged from the photo."""
    linear = similarity_transform(template, landmarks)[:, :2]
    return float(np.sqrt(np.linalg.det(linear)))


def align(image: Pixels, landmarks: NDArray[np.floating], template: NDArray[np.floating], size: int) -> Pixels:
    """Crops a face so that its landmarks lie on the template.

    `image` is uint8 (H, W, 3); `landmarks` (5, 2) are in its pixels, `template` (5, 2) in those of the crop. Returns
    uint8 (size, size, 3), black outside the photo. Interpolation is bicubic; faces larger than the crop are reduced by
    block averaging first. Raises ValueError if all landmarks coincide.
    """
    landmarks = landmarks.astype(np.float64)
    if float(np.ptp(landmarks, axis=0).max()) < 1 / SUBPIXEL_STEPS:
        raise ValueError("the landmarks coincide, so they define no crop")
    linear = similarity_transform(template, landmarks)[:, :2]  # crop -> photo
    # Averaging whole blocks first avoids aliasing in large faces.
    factor = max(int(downscaling_factor(landmarks, template)), 1)
    # Coordinates are in blocks from here on. Rounding makes their sums exact, so that a pixel does not depend on the
    # margin around the crop; the steps are too small to be visible.
    linear = _round_coordinates(linear / factor)
    offset = _round_coordinates(landmarks.mean(axis=0) / factor - linear @ template.mean(axis=0))
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


def _round_coordinates(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.round(values * SUBPIXEL_STEPS) / SUBPIXEL_STEPS, np.float64)
