"""A made-up evaluation of the face detector, and the metadata that carry it."""

import math
from typing import Any

from model.detector.bundle import SCHEMA, DetectorMetadata

MACHINE = "a machine"


def make_evaluation() -> dict[str, Any]:
    """The figures of two detectors on one set with people and one without."""
    errors = {"landmark_error": 0.051, "landmark_error_95": 0.123}
    unknown = {"landmark_error": math.nan, "landmark_error_95": math.nan}
    sources = [
        {"detector": "facetwin", "recall": 0.98765, "faces": 80, "photos_lost": 1, **errors},
        {"detector": "mtcnn", "recall": 0.0, "faces": 0, "photos_lost": 1234, **unknown},
    ]
    shared = {"source": "LFW", "truth": "by hand", "photos": 2000, "false_positives": 0.1, "threshold": 0.5}
    return {
        "command": "the command",
        "machine": MACHINE,
        "sources": [shared | each for each in sources],
        "faceless": [
            {"source": "pets", "detector": "facetwin", "photos": 3000, "photos_with_a_face": 7, "faces": 9},
            {"source": "pets", "detector": "mtcnn", "photos": 3000, "photos_with_a_face": 70, "faces": 90},
        ],
        "verification": {
            "bundle": "deploy",
            "tar": {"0.001": {"service": 0.99, "mtcnn": 0.985}},
            "difference": {"0.001": {"value": 0.005, "interval": [-0.001, 0.011]}},
            "photos": 13233,
            "photos_lost": {"service": 2, "mtcnn": 11},
        },
        "times": [{"side": 250, "threads": 1, "milliseconds": {"facetwin": 4.0, "mtcnn": 100.0}}],
        "crowd": {
            "width": 4000,
            "height": 3000,
            "faces": 50,
            "milliseconds": {"facetwin": 80.4, "mtcnn": 900.0},
            "found": {"facetwin": 50, "mtcnn": 41},
        },
    }


def make_metadata(evaluation: dict[str, Any] | None) -> DetectorMetadata:
    """The metadata of a detector that does not exist."""
    return DetectorMetadata(
        schema=SCHEMA,
        name="detector",
        version="0",
        detector_id="d" * 64,
        candidate_score=0.03,
        least_score=0.8,
        sure_score=0.95,
        turned_score=0.95,
        score_weights=(0.0, 1.0, 1.0),
        close_weights=(0.0, 0.0, 1.0),
        reference_landmarks=((0.0, 0.0),) * 5,
        architecture={"parameters": {"yunet": 75856, "refiner": 345678}},
        training={
            "command": "train it",
            "seconds": 600,
            "machine": MACHINE,
            "data": "some photos",
            "licence": "for research",
        },
        git_commit="c" * 40,
        torch_version="none",
        evaluation=evaluation,
    )
