"""Detection metrics against labels: recall, false positives, landmark error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from model.detector.boxes import box_iou

MATCH_IOU: Final = 0.4  # a detection matches a label from this overlap on
REQUIRED_SCORE: Final = 0.99  # labels from this score on must be found; recall counts them
MATCHED_SCORE: Final = 0.5  # labels below this score match no detection

Detections = NDArray[np.float32]  # (F, 15): box, score, landmarks


@dataclass(frozen=True)
class DetectionMetrics:
    photos: int
    faces: int  # labels that must be found
    recall: float
    false_positives: float  # per photo
    landmark_error: float  # median, in eye distances; NaN if no face was found
    landmark_error_95: float  # 95th percentile


def compare_with_labels(
    detections: Sequence[Detections], labels: Sequence[Detections], least_score: float
) -> DetectionMetrics:
    """Compares the detections of each photo, from `least_score` on, with the photo's labels.

    A detection is a false positive if it overlaps no label. Each label is found at most once, so that further
    detections of the same face add nothing to the recall.
    """
    required = hits = false_positives = 0
    errors: list[float] = []
    for every, true in zip(detections, labels, strict=True):
        found = every[every[:, 4] >= least_score]
        required += int((true[:, 4] >= REQUIRED_SCORE).sum())
        largest_iou = pairwise_iou(found[:, :4], true[:, :4]).max(axis=1, initial=0.0)
        false_positives += int((largest_iou < MATCH_IOU).sum())
        for row, label in match_faces(found, true):
            if true[label, 4] >= REQUIRED_SCORE:
                hits += 1
                if np.isfinite(true[label, 5:]).all():  # some sets label boxes only
                    errors.append(landmark_error(found[row], true[label]))
    return DetectionMetrics(
        photos=len(detections),
        faces=required,
        recall=hits / max(required, 1),
        false_positives=false_positives / max(len(detections), 1),
        landmark_error=float(np.median(errors)) if errors else float("nan"),
        landmark_error_95=float(np.quantile(errors, 0.95)) if errors else float("nan"),
    )


def match_faces(found: Detections, labels: Detections) -> list[tuple[int, int]]:
    """Matches detections to labels, one to one: the detection with the highest score chooses first.

    Returns pairs of rows (detection, label).
    """
    iou = pairwise_iou(found[:, :4], labels[:, :4])
    free = labels[:, 4] >= MATCHED_SCORE
    pairs = []
    for row in np.argsort(-found[:, 4], kind="stable"):
        candidates = np.where(free, iou[row], 0.0)
        if candidates.max(initial=0.0) >= MATCH_IOU:
            label = int(candidates.argmax())
            free[label] = False
            pairs.append((int(row), label))
    return pairs


def landmark_error(found: NDArray[np.float32], label: NDArray[np.float32]) -> float:
    """The mean distance of the five landmarks of two faces (15,), in eye distances of the label."""
    points, true = found[5:].reshape(5, 2), label[5:].reshape(5, 2)
    eye_distance = float(np.linalg.norm(true[1] - true[0]))
    return float(np.linalg.norm(points - true, axis=1).mean()) / max(eye_distance, 1e-6)


def pairwise_iou(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of every pair of boxes (A, 4) and (B, 4), as (A, B)."""
    iou = box_iou(torch.from_numpy(first)[:, None], torch.from_numpy(second)[None])
    return np.asarray(iou.numpy(), np.float32)
