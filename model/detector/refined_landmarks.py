"""What the refiner says of candidates, and how far landmarks lie apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RefinedLandmarks:
    """What the refiner says of F candidates."""

    landmarks: NDArray[np.float64]  # (F, 10) in pixels of the photo
    logits: NDArray[np.float64]  # (F,): of faces
    is_aligned: NDArray[np.bool_]  # (F,): False where all landmarks coincide; the other values then mean nothing

    def choose_rows(self, rows: NDArray[np.bool_]) -> "RefinedLandmarks":
        """The candidates that `rows` (F,) marks."""
        return RefinedLandmarks(self.landmarks[rows], self.logits[rows], self.is_aligned[rows])

    def replace_rows(self, rows: NDArray[np.bool_], by: "RefinedLandmarks") -> "RefinedLandmarks":
        """Replaces the candidates that `rows` (F,) marks, in order."""
        landmarks, logits, is_aligned = self.landmarks.copy(), self.logits.copy(), self.is_aligned.copy()
        landmarks[rows], logits[rows], is_aligned[rows] = by.landmarks, by.logits, by.is_aligned
        return RefinedLandmarks(landmarks, logits, is_aligned)


def mean_distances(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean distances (F,) of landmarks (F, 10) from others, in spreads of the former."""
    points = first.reshape(-1, 5, 2).astype(np.float64)
    distances = np.linalg.norm(points - second.reshape(-1, 5, 2), axis=2).mean(axis=1)
    return np.asarray(distances / np.maximum(spread_of(points), 1e-6), np.float64)


def spread_of(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean distance (F,) of landmarks (F, 5, 2) from their centre: near the eye distance, at any pose."""
    centres = landmarks.mean(axis=1, keepdims=True)
    return np.asarray(np.linalg.norm(landmarks - centres, axis=2).mean(axis=1), np.float64)
