"""What each threshold of the exported detector loses and lets through, and whether its chances hold."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from model.detector.bundle import DetectorBundle
from model.detector.multi_scale import MultiScaleDetector
from model.detector.orientation import detect_any_orientation
from training.detector.config import DetectorConfig
from training.detector.metrics import compare_with_labels
from training.detector.peers import to_rows
from training.detector.score_calibration import final_chances, score_validation
from training.detector.selection_sets import SelectionSet
from training.detector.splits import load_labelled_split, split_other_photos, without_labels

SCORES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class ThresholdMetrics:
    """Detections whose chance is at least `score`."""

    score: float
    lost: float  # share of the photos of people on which nothing is found
    false_faces: float  # per photo without people, tried in four orientations
    on_turned: float  # faces per photo of people that is turned by 90, 180 or 270 degrees


@dataclass(frozen=True)
class SetMetrics:
    """Detections on one of the sets that thresholds are chosen on, in any orientation, from a chance of `score` on.

    `recall` counts the faces that must be found; it is NaN where there are none.
    """

    name: str
    score: float
    photos: int
    lost: int  # photos on which nothing is found
    faces: int  # detections
    recall: float


@dataclass(frozen=True)
class ChanceBin:
    """Candidates whose chance is in low..high, and the share of faces among them."""

    low: float
    high: float
    candidates: int
    faces: float


def measure_thresholds(
    bundle: DetectorBundle, config: DetectorConfig, data: Path, build: Path
) -> Iterator[ThresholdMetrics]:
    """Yields the metrics for each of SCORES on LFW's validation people (every 4th photo) and photos without people."""
    low = replace(bundle.metadata, least_score=min(SCORES))
    detector = MultiScaleDetector(replace(bundle, metadata=low))
    people = load_labelled_split(config.people, data, build).validation
    rows = range(0, len(people), 4)
    upright, turned = [], []
    for row in track(rows, "Photos of people"):
        image = people.decode(row)
        upright.append(_best(detector, image))
        turned += [_best(detector, np.rot90(image, turns).copy()) for turns in (1, 2, 3)]
    faceless = without_labels(split_other_photos(config, data)["validation"].no_faces)
    false_scores: list[list[float]] = []
    for row in track(range(len(faceless)), "Photos without people"):
        image = faceless.decode(row)
        images = [np.rot90(image, turns).copy() for turns in range(4)]
        false_scores.append([face.score for each in images for face in detector.detect(each)])
    for score in SCORES:
        yield ThresholdMetrics(
            score,
            float(np.mean([best < score for best in upright])),
            float(np.mean([sum(each >= score for each in found) for found in false_scores])),
            float(np.mean([best >= score for best in turned])),
        )


def measure_selection(bundle: DetectorBundle, sets: Iterable[SelectionSet]) -> Iterator[SetMetrics]:
    """Yields the metrics of each set for each of SCORES."""
    low = replace(bundle.metadata, least_score=min(SCORES))
    detector = MultiScaleDetector(replace(bundle, metadata=low))
    for each in sets:
        found, labels = [], []
        for image, faces in track(each.samples(), each.name, total=each.count):
            found.append(to_rows(detect_any_orientation(detector, image)))
            labels.append(faces)
        for score in SCORES:
            metrics = compare_with_labels(found, labels, score)
            counts = [int((rows[:, 4] >= score).sum()) for rows in found]
            recall = metrics.recall if metrics.faces else math.nan
            yield SetMetrics(each.name, score, each.count, counts.count(0), sum(counts), recall)


def measure_chances(bundle: DetectorBundle, config: DetectorConfig, data: Path, build: Path) -> Iterator[ChanceBin]:
    """Yields the share of faces among the validation candidates in ten bins of `detection_score`."""
    split, other = load_labelled_split(config.people, data, build), split_other_photos(config, data)["validation"]
    scored = score_validation(bundle, split.validation, without_labels(other.faces), without_labels(other.no_faces))
    chances = final_chances(scored, bundle.metadata.score_weights, bundle.metadata.close_weights)
    for low in np.arange(10) / 10:
        inside = (chances >= low) & (chances < low + 0.1 + (low > 0.85))
        if inside.any():
            yield ChanceBin(float(low), float(low + 0.1), int(inside.sum()), float(scored.is_face[inside].mean()))


def _best(detector: MultiScaleDetector, image: NDArray[np.uint8]) -> float:
    return max((face.score for face in detector.detect(image)), default=0.0)
