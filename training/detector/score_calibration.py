"""Fits the chance that a candidate is a face, and measures what each threshold of it loses and lets through.

Everything happens on validation photos: LFW's people with MTCNN's labels, portraits, and photos without people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from model.detector.bundle import DetectorBundle
from model.detector.levels import plan_factors
from model.detector.multi_scale import MultiScaleDetector
from training.detector.candidates import APART_IOU, CERTAIN_LABEL, DOUBTFUL_CANDIDATE, MATCH_IOU
from training.detector.metrics import pairwise_iou
from training.detector.pseudo_labels import LabelledPhotos

YUNET_ONLY: Final = (0.0, 1.0, 0.0)  # score weights with which a chance is YuNet's score ...
REFINER_ONLY: Final = (0.0, 0.0, 1.0)  # ... or the refiner's


@dataclass(frozen=True)
class ScoredCandidates:
    """The logits of N candidates of YuNet's score and of the refiner's answer, and whether they are faces."""

    yunet: NDArray[np.float64]  # (N,)
    refiner: NDArray[np.float64]  # (N,)
    is_face: NDArray[np.bool_]  # (N,)


def score_validation(
    bundle: DetectorBundle, people: LabelledPhotos, portraits: LabelledPhotos, no_faces: LabelledPhotos
) -> ScoredCandidates:
    """Runs the served search and refinement over the photos. A candidate that may or may not be a face is left out."""
    detectors = [_detector_with(bundle, weights) for weights in (YUNET_ONLY, REFINER_ONLY)]
    rows: list[tuple[float, float, bool]] = []
    for photos, kind in ((people, "people"), (portraits, "portraits"), (no_faces, "no faces")):
        for row in track(range(len(photos)), f"Candidates: {kind}"):
            image = photos.decode(row)
            factors = plan_factors(*image.shape[:2])
            candidates = detectors[0].find_candidates(image, factors, prune=False)
            both = [detector.refine(image, candidates) for detector in detectors]
            truth = _judge(candidates, photos.faces[row], kind)
            rows += [
                (_logit(yunet[4]), _logit(refiner[4]), bool(face))
                for yunet, refiner, face in zip(*both, truth, strict=True)
                if face is not None
            ]
    values = np.array([row[:2] for row in rows], np.float64).reshape(-1, 2)
    return ScoredCandidates(values[:, 0], values[:, 1], np.array([row[2] for row in rows], np.bool_))


def fit_score_weights(scored: ScoredCandidates) -> tuple[float, float, float]:
    """Logistic regression by Newton's method: constant, weight of YuNet's logit, weight of the refiner's."""
    design = np.stack([np.ones_like(scored.yunet), scored.yunet, scored.refiner])  # (3, N)
    beta, truth = np.zeros(3), scored.is_face.astype(np.float64)
    ridge = np.eye(3) * 1e-3  # keeps perfectly separated scores from running off to infinity
    for _ in range(100):
        probability = 1 / (1 + np.exp(-np.clip(beta @ design, -50, 50)))
        gradient = design @ (probability - truth) + ridge @ beta
        hessian = (design * (probability * (1 - probability))) @ design.T + ridge
        step = np.linalg.solve(hessian, gradient)
        beta -= step * min(1.0, 5.0 / float(np.abs(step).max() + 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    constant, yunet, refiner = (round(float(value), 4) for value in beta)
    return constant, yunet, refiner


def _detector_with(bundle: DetectorBundle, weights: tuple[float, float, float]) -> MultiScaleDetector:
    return MultiScaleDetector(replace(bundle, metadata=replace(bundle.metadata, score_weights=weights)))


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
