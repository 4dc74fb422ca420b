"""The face detector: searches a photo at the resolutions that its size needs, then looks at each candidate again.

Whoever is still doubtful then is judged by a close look.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from model.alignment import align, chip_template, similarity_transform
from model.detector.boxes import suppress_overlaps
from model.detector.bundle import DetectorBundle
from model.detector.layout import CLOSE_SIZE, CROP_SIZE, MAX_IOU, close_template
from model.detector.levels import plan_factors, reduce_image
from model.face import Face
from model.images import Pixels

PIXEL_VALUES: Final = [0, 1, 2, 3, *range(5, 15)]  # of the values of a face, those in pixels
MAX_CANDIDATES: Final = 1000  # of a photo; the best ones are looked at
BATCH: Final = 64  # crops that the refiner looks at together
HOPELESS: Final = 0.02  # a candidate with a smaller chance at first sight is dropped
MOVED: Final = 0.1  # in spreads: landmarks that were refined by more are refined once more
CERTAIN: Final = 0.995  # a candidate with a greater chance needs no close look
FINER_PIXELS: Final = 1280 * 960  # of the search that follows where no face is sure, at most
FINER_SCORE: Final = 0.2  # of its candidates: twice the resolution shows a face more clearly
SAME_FACE: Final = 0.5  # two faces whose landmarks are nearer than this, in eye distances, are one

Candidates = NDArray[np.float32]  # (F, 15): box, score, landmarks, in pixels of the photo


@dataclass(frozen=True)
class RefinedLandmarks:
    """What the refiner says of F candidates."""

    landmarks: NDArray[np.float64]  # (F, 10) in pixels of the photo
    logits: NDArray[np.float64]  # (F,): of faces
    is_aligned: NDArray[np.bool_]  # (F,): False where all landmarks coincide; the other values then mean nothing

    def replace_rows(self, rows: NDArray[np.bool_], by: "RefinedLandmarks") -> "RefinedLandmarks":
        """Replaces the candidates that `rows` (F,) marks, in order."""
        landmarks, logits, is_aligned = self.landmarks.copy(), self.logits.copy(), self.is_aligned.copy()
        landmarks[rows], logits[rows], is_aligned[rows] = by.landmarks, by.logits, by.is_aligned
        return RefinedLandmarks(landmarks, logits, is_aligned)


class MultiScaleDetector:
    """A FaceDetector that runs a DetectorBundle. Several threads may share one."""

    def __init__(self, bundle: DetectorBundle) -> None:
        metadata = bundle.metadata
        self.choices = bundle.serving.choices
        self.name = metadata.full_name
        self.reference_landmarks = np.array(metadata.reference_landmarks, np.float64)
        self.sure_score, self.turned_score = metadata.sure_score, metadata.turned_score
        self._least_score = metadata.least_score
        self._score_weights, self._close_weights = metadata.score_weights, metadata.close_weights
        self._bundle = bundle
        self._template = chip_template(CROP_SIZE)
        self._close_template = close_template()

    def detect(self, image: Pixels, reduced_by: int = 1) -> list[Face]:
        """Returns every face in an RGB image, uint8 (H, W, 3), best score first, as FaceDetector.detect does.

        Where nothing is sure, the photo is searched once more at twice the resolution, up to FINER_PIXELS.
        """
        height, width = image.shape[:2]
        factors = plan_factors(height, width, reduced_by)
        found = self.score_candidates(image, factors)
        finer = max(factors[0] // 2, math.ceil(math.sqrt(height * width / FINER_PIXELS)), 1)
        if finer < factors[0] and not (found[:, 4] >= self.sure_score).any():
            more = self.score_candidates(image, [finer], FINER_SCORE)
            found = _drop_duplicates(_best_first(np.concatenate([found, more])))
        return self._above_threshold(found)

    def score_candidates(self, image: Pixels, factors: list[int], least_score: float = 0.0) -> Candidates:
        """The refined candidates (F, 15) of a photo that is searched at these reductions, best chance first.

        Their scores are chances that they are faces. Hopeless candidates, and those whose score by YuNet is below
        `least_score`, are left out.
        """
        candidates = self.find_candidates(image, factors)
        candidates = candidates[candidates[:, 4] >= least_score]
        refined = [self.refine(image, candidates[first : first + BATCH]) for first in range(0, len(candidates), BATCH)]
        return _drop_duplicates(_best_first(np.concatenate(refined) if refined else candidates))

    def find_candidates(self, image: Pixels, factors: list[int], prune: bool = True) -> Candidates:
        """YuNet's candidates (F, 15) with YuNet's scores, best first, their landmarks refined where they were found.

        `prune` leaves out those that look hopeless there.
        """
        found = [self._search(image, factor, prune) for factor in factors]
        if len(found) == 1:
            return found[0][:MAX_CANDIDATES]
        together = np.concatenate(found)
        boxes, scores = torch.from_numpy(together[:, :4]), torch.from_numpy(together[:, 4])
        kept: Candidates = together[suppress_overlaps(boxes, scores, MAX_IOU).numpy()]
        return kept[:MAX_CANDIDATES]

    def _search(self, image: Pixels, factor: int, prune: bool) -> Candidates:
        batch = torch.from_numpy(reduce_image(image, factor))[None]
        found = self._bundle.find_candidates(batch)[0][:MAX_CANDIDATES]
        if len(found):
            values = self._bundle.glance(batch, found[:, 5:])
            found = torch.cat([found[:, :5], values[:, :-1]], dim=1)
            if prune:
                logits = _logit(found[:, 4].cpu().numpy())
                chances = _chance(self._score_weights, logits, values[:, -1].cpu().numpy())
                found = found[torch.from_numpy(chances >= HOPELESS).to(found.device)]
        candidates = found.cpu().numpy().astype(np.float32)
        candidates[:, PIXEL_VALUES] *= factor
        return candidates

    def refine(self, image: Pixels, candidates: Candidates) -> Candidates:
        """Looks at candidates again, at the photo's resolution: refined landmarks, and chances instead of scores.

        Those that cannot be aligned have no chance.
        """
        if not len(candidates):
            return candidates
        refined = self.refine_landmarks(image, candidates[:, 5:])
        chances = _chance(self._score_weights, _logit(candidates[:, 4]), refined.logits)
        doubtful = refined.is_aligned & (chances < CERTAIN)
        if doubtful.any():
            close = self.look_closely(image, refined.landmarks[doubtful])
            chances[doubtful] = _chance(self._close_weights, refined.logits[doubtful], close)
        chances[~refined.is_aligned] = 0.0
        return np.concatenate([candidates[:, :4], chances[:, None], refined.landmarks], axis=1, dtype=np.float32)

    def refine_landmarks(self, image: Pixels, landmarks: NDArray[np.floating]) -> RefinedLandmarks:
        """Looks again at the places of landmarks (F, 10), at the photo's resolution; twice where they moved far."""
        refined = self._refine_once(image, landmarks)
        moved = refined.is_aligned & (_distances(refined.landmarks, landmarks) > MOVED)
        if moved.any():
            refined = refined.replace_rows(moved, self._refine_once(image, refined.landmarks[moved]))
        return refined

    def _refine_once(self, image: Pixels, landmarks: NDArray[np.floating]) -> RefinedLandmarks:
        crops, transforms, is_aligned = _align_all(image, landmarks, self._template, CROP_SIZE)
        values = self._bundle.refine(torch.from_numpy(crops)).cpu().numpy().astype(np.float64)
        points = self._template + values[:, :-1].reshape(-1, 5, 2)  # in the crops
        refined = points @ transforms[:, :, :2].transpose(0, 2, 1) + transforms[:, None, :, 2]
        return RefinedLandmarks(refined.reshape(-1, 10), values[:, -1], is_aligned)

    def look_closely(self, image: Pixels, landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
        """The logits (F,) of YuNet's scores of upright crops around refined landmarks (F, 10)."""
        crops, _, _ = _align_all(image, landmarks, self._close_template, CLOSE_SIZE)
        return self._bundle.look_closely(torch.from_numpy(crops)).cpu().numpy().astype(np.float64)

    def _above_threshold(self, candidates: Candidates) -> list[Face]:
        return [
            Face(values[:4], values[5:].reshape(5, 2), float(values[4]))
            for values in candidates
            if values[4] >= self._least_score
        ]


def _align_all(
    image: Pixels, landmarks: NDArray[np.floating], template: NDArray[np.float64], size: int
) -> tuple[Pixels, NDArray[np.float64], NDArray[np.bool_]]:
    """The crops (F, S, S, 3) of landmarks (F, 10), the transforms crop -> photo (F, 2, 3), and whether each could be
    aligned (F,)."""
    crops = np.zeros((len(landmarks), size, size, 3), np.uint8)
    transforms = np.zeros((len(landmarks), 2, 3))
    is_aligned = np.ones(len(landmarks), np.bool_)
    for row, points in enumerate(landmarks.reshape(-1, 5, 2)):
        try:
            crops[row] = align(image, points, template, size)
            transforms[row] = similarity_transform(template, points)
        except ValueError:  # all landmarks coincide
            is_aligned[row] = False
    return crops, transforms, is_aligned


def _chance(
    weights: tuple[float, float, float], first: NDArray[np.floating], second: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The chances (F,) of faces from two logits: `weights` are a constant and the weight of each."""
    log_odds = weights[0] + weights[1] * first + weights[2] * second
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -50, 50))), np.float64)


def _logit(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    clipped = np.clip(scores.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)


def _best_first(candidates: Candidates) -> Candidates:
    ordered: Candidates = candidates[np.argsort(-candidates[:, 4], kind="stable")]
    return ordered


def _distances(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean distances (F,) of landmarks (F, 10) from others, in spreads of the former."""
    points = first.reshape(-1, 5, 2).astype(np.float64)
    distances = np.linalg.norm(points - second.reshape(-1, 5, 2), axis=2).mean(axis=1)
    return np.asarray(distances / np.maximum(_spread(points), 1e-6), np.float64)


def _spread(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean distance (F,) of landmarks (F, 5, 2) from their centre: near the eye distance, at any pose."""
    centres = landmarks.mean(axis=1, keepdims=True)
    return np.asarray(np.linalg.norm(landmarks - centres, axis=2).mean(axis=1), np.float64)


def _drop_duplicates(candidates: Candidates) -> Candidates:
    """Drops each candidate whose refined landmarks are those of a better one."""
    landmarks = candidates[:, 5:].reshape(-1, 5, 2)
    centres = landmarks.mean(axis=1)
    spread = _spread(landmarks)
    kept: list[int] = []
    for row in range(len(candidates)):
        distances = np.linalg.norm(centres[kept] - centres[row], axis=1)
        if not (distances < SAME_FACE * np.maximum(spread[kept], spread[row])).any():
            kept.append(row)
    return candidates[kept]
