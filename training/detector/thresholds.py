"""What the exported detector finds at each score threshold, on photos as they are and on turned ones."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from model.detector.bundle import LocatorBundle
from model.detector.single_pass import SinglePassDetector
from training.detector.metrics import compare_with_labels
from training.detector.pseudo_labels import LabelledPhotos
from training.detector.report import detect_rows

SCORES: Final = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)


@dataclass(frozen=True)
class ThresholdMetrics:
    """Detections from `score` on. A photo that is turned by 90, 180 or 270 degrees should show none."""

    score: float
    recall: float
    false_positives: float  # per photo
    photos_without_face: int
    faces_on_turned_photos: float  # per photo


def measure_thresholds(locator: LocatorBundle, labels: LabelledPhotos) -> Iterator[ThresholdMetrics]:
    """Yields the metrics for each of SCORES, which takes the place of the file's own threshold."""
    photos = [labels.decode(row) for row in range(len(labels))]
    for score in SCORES:
        detector = SinglePassDetector(replace(locator, metadata=replace(locator.metadata, least_score=score)))
        upright = [detect_rows(detector, photo) for photo in photos]
        turned = [detect_rows(detector, np.rot90(photo, turns)) for photo in photos for turns in (1, 2, 3)]
        metrics = compare_with_labels(upright, labels.faces, score)
        # A photo without any face from `score` on keeps one large face, which does not count here.
        without_face = sum(not (faces[:, 4] >= score).any() for faces in upright)
        on_turned = float(np.mean([(faces[:, 4] >= score).sum() for faces in turned]))
        yield ThresholdMetrics(score, metrics.recall, metrics.false_positives, without_face, on_turned)
