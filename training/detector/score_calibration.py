"""Fits the chance that a candidate is a face, and measures what each threshold of it loses and lets through.

Everything happens on validation photos: LFW's people with MTCNN's labels, portraits, and photos without people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from model.detector.bundle import DetectorBundle
from model.detector.levels import PhotoLevels, plan_factors
from model.detector.multi_scale import CERTAIN, DOUBTFUL, MultiScaleDetector
from training.data.errors import DataError
from training.detector.candidates import APART_IOU, CERTAIN_LABEL, DOUBTFUL_CANDIDATE, MATCH_IOU
from training.detector.metrics import pairwise_iou
from training.detector.pseudo_labels import LabelledPhotos

Weights = tuple[float, float, float]  # of a logistic regression: a constant, and the weights of two logits


@dataclass(frozen=True)
class ScoredCandidates:
    """The logits of N candidates, and whether they are faces."""

    yunet: NDArray[np.float64]  # (N,): of YuNet's score in the photo
    refiner: NDArray[np.float64]  # (N,)
    close: NDArray[np.float64]  # (N,): of the close look
    is_face: NDArray[np.bool_]  # (N,)


def score_validation(
    bundle: DetectorBundle, people: LabelledPhotos, portraits: LabelledPhotos, no_faces: LabelledPhotos
) -> ScoredCandidates:
    """Runs the served search and refinement over the photos. A candidate that may or may not be a face is left out."""
    detector = MultiScaleDetector(bundle)
    rows: list[tuple[float, float, float, bool]] = []
    for photos, kind in ((people, "people"), (portraits, "portraits"), (no_faces, "no faces")):
        for row in track(range(len(photos)), f"Candidates: {kind}"):
            image = photos.decode(row)
            photo = PhotoLevels(image)
            candidates = detector.find_candidates(photo, plan_factors(*image.shape[:2]), prune=False)
            if not len(candidates):
                continue
            refined = detector.refine_landmarks(photo, candidates[:, 5:])
            close = detector.look_closely(photo, refined.landmarks)
            truth = _judge(candidates, photos.faces[row], kind)
            rows += [
                (_logit(yunet), float(refiner), float(closely), bool(face))
                for yunet, refiner, closely, aligned, face in zip(
                    candidates[:, 4], refined.logits, close, refined.is_aligned, truth, strict=True
                )
                if aligned and face is not None
            ]
    values = np.array([row[:3] for row in rows], np.float64).reshape(-1, 3)
    is_face = np.array([row[3] for row in rows], np.bool_)
    return ScoredCandidates(values[:, 0], values[:, 1], values[:, 2], is_face)


def fit_score_weights(scored: ScoredCandidates) -> Weights:
    """The weights of YuNet's logit and of the refiner's, with which a candidate is judged first."""
    constant, yunet, refiner = _fit_logistic([scored.yunet, scored.refiner], scored.is_face)
    return constant, yunet, refiner


def fit_close_weights(scored: ScoredCandidates, first: Weights, refiner_share: float) -> Weights:
    """The weights of the refiner's logit and of the close look's, for candidates that are doubtful at first.

    `refiner_share`: the ratio of the two. `first`: the weights of the first judgement. Raises DataError if no candidate
    is doubtful.
    """
    chances = first_chances(scored, first)
    doubtful = (chances >= DOUBTFUL) & (chances < CERTAIN)
    if not doubtful.any():
        raise DataError("No candidate is doubtful, so the close look cannot be calibrated. Check the photos.")
    together = scored.close[doubtful] + refiner_share * scored.refiner[doubtful]
    constant, slope = _fit_logistic([together], scored.is_face[doubtful])
    return constant, round(slope * refiner_share, 4), slope


def first_chances(scored: ScoredCandidates, weights: Weights) -> NDArray[np.float64]:
    """The chances (N,) of candidates without a close look."""
    return _sigmoid(weights[0] + weights[1] * scored.yunet + weights[2] * scored.refiner)


def final_chances(scored: ScoredCandidates, first: Weights, close: Weights) -> NDArray[np.float64]:
    """The chances (N,) that the detector gives; of those that it drops, the ones that they have at first sight."""
    at_first = first_chances(scored, first)
    closely = _sigmoid(close[0] + close[1] * scored.refiner + close[2] * scored.close)
    return np.where((at_first >= DOUBTFUL) & (at_first < CERTAIN), closely, at_first)


def _fit_logistic(logits: Sequence[NDArray[np.float64]], is_face: NDArray[np.bool_]) -> list[float]:
    """Logistic regression by Newton's method: the constant and the weight of each of `logits`."""
    design = np.stack([np.ones_like(logits[0]), *logits])  # (1 + logits, N)
    beta, truth = np.zeros(len(design)), is_face.astype(np.float64)
    ridge = np.eye(len(design)) * 1e-3  # keeps perfectly separated scores from running off to infinity
    for _ in range(100):
        probability = _sigmoid(beta @ design)
        gradient = design @ (probability - truth) + ridge @ beta
        hessian = (design * (probability * (1 - probability))) @ design.T + ridge
        step = np.linalg.solve(hessian, gradient)
        beta -= step * min(1.0, 5.0 / float(np.abs(step).max() + 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    return [round(float(value), 4) for value in beta]


def _sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -50, 50))), np.float64)


def _judge(candidates: NDArray[np.float32], labels: NDArray[np.float32], kind: str) -> Sequence[bool | None]:
    """Whether each candidate (F, 15) is a face; None where the labels do not say."""
    if kind == "no faces":
        return [False] * len(candidates)
    if kind == "portraits":  # one face, the largest sure one; what else is found may be anything
        sides = (candidates[:, 2:4] - candidates[:, :2]).prod(axis=1) * (candidates[:, 4] >= DOUBTFUL_CANDIDATE)
        largest = int(sides.argmax()) if len(candidates) else -1
        return [True if row == largest and sides[row] > 0 else None for row in range(len(candidates))]
    overlap = pairwise_iou(candidates[:, :4], labels[:, :4])
    sure = overlap[:, labels[:, 4] >= CERTAIN_LABEL].max(axis=1, initial=0.0)
    any_label = overlap.max(axis=1, initial=0.0)
    return [
        True if sure[row] >= MATCH_IOU else False if any_label[row] < APART_IOU and score < DOUBTFUL_CANDIDATE else None
        for row, score in enumerate(candidates[:, 4])
    ]


def _logit(chance: float) -> float:
    clipped = min(max(float(chance), 1e-7), 1 - 1e-7)
    return float(np.log(clipped / (1 - clipped)))
