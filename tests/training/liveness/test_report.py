from dataclasses import replace

import numpy as np
import pytest

from model.liveness.bundle import LivenessMetadata
from tests.support.liveness import liveness_metadata
from training.data.errors import DataError
from training.liveness.presentations import Kind, PresentationSet
from training.liveness.report import measure_liveness, split_people
from training.liveness.scoring import ScoredSet
from training.model_card.liveness_section import describe_liveness


def scored(name: str, by_camera: bool, rows: list[tuple[Kind, str, float]]) -> ScoredSet:
    kinds, people, scores = zip(*rows, strict=True)
    return ScoredSet(
        PresentationSet(name, "origin", by_camera, ()),
        np.array([kind.value for kind in kinds]),
        np.array(people),
        np.array(scores, np.float32),
        np.full(len(rows), 0.9, np.float32),
        {Kind.BONA_FIDE.value: 1},
    )


@pytest.fixture
def camera() -> ScoredSet:
    """Four people: a and c choose, b and d are counted. One print of two passes at 0.8."""
    live = [(Kind.BONA_FIDE, person, score) for person, score in zip("abcd", (0.8, 0.7, 0.9, 0.95), strict=True)]
    prints = [(Kind.PRINT, person, score) for person, score in zip("abcd", (0.99, 0.85, 0.99, 0.1), strict=True)]
    return scored("camera", True, live + prints)


@pytest.fixture
def press() -> ScoredSet:
    return scored("press", False, [(Kind.BONA_FIDE, "x", 0.1), (Kind.BONA_FIDE, "y", 0.9)])


def test_people_who_choose_the_threshold_are_not_counted(camera: ScoredSet, press: ScoredSet) -> None:
    choosing, counted = split_people(camera)
    assert (sorted(choosing), sorted(counted)) == (["a", "c"], ["b", "d"])
    threshold, report = measure_liveness([camera, press], "command")
    assert threshold == pytest.approx(0.8)  # the lowest score of a and c; b's and x's do not count
    rate = next(row["rate"] for row in report["apcer"] if row["kind"] == "print")
    assert (rate["errors"], rate["presentations"]) == (1, 2)
    bpcer = {each["name"]: each["bpcer"] for each in report["sets"]}
    assert (bpcer["camera"]["errors"], bpcer["camera"]["presentations"]) == (1, 2)
    assert (bpcer["press"]["errors"], bpcer["press"]["presentations"]) == (1, 2)


def test_bpcer_is_stated_by_quality(camera: ScoredSet) -> None:
    _, report = measure_liveness([camera], "command")
    by_quality = report["sets"][0]["bpcer_by_quality"]
    assert by_quality["low"] is None
    assert by_quality["good"]["presentations"] == 2


def test_the_threshold_needs_a_set_with_live_people_before_a_camera_and_attacks(press: ScoredSet) -> None:
    with pytest.raises(DataError, match="No set has live people before a camera and attacks"):
        measure_liveness([press], "command")


def _measured(camera: ScoredSet, press: ScoredSet) -> LivenessMetadata:
    threshold, report = measure_liveness([camera, press], "command")
    agreement = {
        "photos": 1,
        "same_crops": 1e-6,
        "own_crops": 1e-6,
        "boxes": {"iou_with": 0.9, "iou_without": 0.8, "photos": 1.0},
        "command": "export",
    }
    return replace(liveness_metadata(threshold), evaluation=report, agreement=agreement)


def test_the_card_says_not_measured_for_a_kind_of_attack_that_no_set_has(camera: ScoredSet, press: ScoredSet) -> None:
    text = describe_liveness(_measured(camera, press))
    assert "| print | camera | 2 | 2 | 50.0% |" in text
    assert "| mask cut-out |  |  |  | not measured |  |" in text
    assert "press (press photos)" in text


def test_networks_without_a_report_are_refused_by_the_card() -> None:
    with pytest.raises(DataError, match="not measured"):
        describe_liveness(liveness_metadata(None))
