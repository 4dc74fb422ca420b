"""How good a detector is, beside the faces that its teacher sees: recall, false positives, landmark error."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.images import Pixels
from training.detector.pseudo_labels import TaughtPhotos

OVERLAP: Final = 0.4  # intersection over union from which on a box is that of a face
SURE: Final = 0.99  # the teacher's score from which on a face must be found
DOUBTFUL: Final = 0.5  # ... and from which on finding one is no false positive

Faces = NDArray[np.float32]  # (F, 15): box, score, landmarks


@dataclass(frozen=True)
class Measured:
    photos: int
    faces: int  # that must be found
    recall: float
    false_positives: float  # a photo
    landmark_error: float  # median, in distances between the eyes
    landmark_error_95: float  # that 95 % do not exceed


def measure(detect: Callable[[Pixels], Faces], taught: TaughtPhotos, least_score: float) -> Measured:
    """Runs `detect` over every photo; its faces count from `least_score` on."""
    return compare([detect(taught.pixels(row)) for row in range(len(taught.photos))], taught.faces, least_score)


def compare(found: Sequence[Faces], taught: Sequence[Faces], least_score: float) -> Measured:
    """The faces found on each photo beside those taught. Each face that was found counts once, the best first."""
    wanted = hits = wrong = 0
    errors: list[float] = []
    for every, theirs in zip(found, taught, strict=True):
        mine = every[every[:, 4] >= least_score]
        wanted += int((theirs[:, 4] >= SURE).sum())
        nearest = overlaps(mine[:, :4], theirs[:, :4]).max(axis=1, initial=0.0)
        wrong += int((nearest < OVERLAP).sum())
        for row, partner in matches(mine, theirs):
            if theirs[partner, 4] >= SURE:
                hits += 1
                errors.append(landmark_error(mine[row], theirs[partner]))
    return Measured(
        photos=len(found),
        faces=wanted,
        recall=hits / max(wanted, 1),
        false_positives=wrong / max(len(found), 1),
        landmark_error=float(np.median(errors)) if errors else float("nan"),
        landmark_error_95=float(np.quantile(errors, 0.95)) if errors else float("nan"),
    )


def matches(mine: Faces, theirs: Faces) -> list[tuple[int, int]]:
    """Rows of faces found and of the faces taught, unless those are doubtful, that they show: the best score chooses
    first, and each face is found once."""
    overlap = overlaps(mine[:, :4], theirs[:, :4])
    free = theirs[:, 4] >= DOUBTFUL
    pairs = []
    for row in np.argsort(-mine[:, 4], kind="stable"):
        nearest = np.where(free, overlap[row], 0.0)
        if nearest.max(initial=0.0) >= OVERLAP:
            partner = int(nearest.argmax())
            free[partner] = False
            pairs.append((int(row), partner))
    return pairs


def landmark_error(mine: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """The mean distance of the five landmarks, in distances between the teacher's eyes."""
    first, second = mine[5:].reshape(5, 2), theirs[5:].reshape(5, 2)
    eyes = float(np.linalg.norm(second[1] - second[0]))
    return float(np.linalg.norm(first - second, axis=1).mean()) / max(eyes, 1e-6)


def overlaps(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes (A, 4) and (B, 4), (A, B)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (first, second)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-6), np.float32)
