import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from model.detector.bundle import DetectorBundle
from tests.support.training.detector_configs import small_detector_config
from training.detector import thresholds
from training.detector.pseudo_labels import NO_FACES, LabelledPhotos
from training.detector.selection_sets import SelectionSet
from training.detector.splits import LabelledSplit, OtherPhotos
from training.detector.thresholds import SCORES, measure_chances, measure_selection, measure_thresholds

CONFIG = small_detector_config()


@pytest.fixture(autouse=True)
def _validation_photos(labelled: LabelledPhotos, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two photos of LFW validate; one of them is a portrait, too, and one is taken for a photo without people."""
    some = LabelledPhotos(labelled.photos[:2], labelled.faces[:2])
    other = {"validation": OtherPhotos(labelled.photos[:1], labelled.photos[1:2])}
    monkeypatch.setattr(thresholds, "load_labelled_split", lambda *_: LabelledSplit(some, some, some))
    monkeypatch.setattr(thresholds, "split_other_photos", lambda *_: other)


def test_a_higher_threshold_never_finds_more(shipped: DetectorBundle, tmp_path: Path) -> None:
    metrics = list(measure_thresholds(shipped, CONFIG, tmp_path, tmp_path))
    assert [each.score for each in metrics] == list(SCORES)
    assert metrics[0].lost == 0
    assert metrics[0].false_faces >= 1  # the photo without people shows one, at least upright
    for lower, higher in pairwise(metrics):
        assert lower.lost <= higher.lost
        assert lower.false_faces >= higher.false_faces
        assert lower.on_turned >= higher.on_turned


def test_candidates_are_counted_by_their_chance(shipped: DetectorBundle, tmp_path: Path) -> None:
    bins = list(measure_chances(shipped, CONFIG, tmp_path, tmp_path))
    assert all(0 <= each.low < each.high <= 1.0001 for each in bins)
    assert all(each.candidates > 0 for each in bins)
    assert all(first.high <= second.low + 1e-6 for first, second in pairwise(bins))
    # Three views of faces, but the one on the photo "without people" counts as none.
    assert sum(each.candidates * each.faces for each in bins) == pytest.approx(3)
    assert bins[-1].low == pytest.approx(0.9)
    assert 0.5 < bins[-1].faces < 1


def test_the_sets_that_thresholds_are_chosen_on_are_counted(shipped: DetectorBundle, labelled: LabelledPhotos) -> None:
    shown = [(labelled.decode(row), labelled.faces[row]) for row in range(2)]
    empty = (np.zeros((64, 64, 3), np.uint8), NO_FACES)
    people = SelectionSet("people", True, 3, lambda: iter([*shown, empty]))
    nobody = SelectionSet("nobody", False, 2, lambda: iter([(shown[0][0], NO_FACES), empty]))
    metrics = list(measure_selection(shipped, [people, nobody]))
    assert [(each.name, each.score) for each in metrics] == [(name, s) for name in ("people", "nobody") for s in SCORES]
    with_people, without = metrics[: len(SCORES)], metrics[len(SCORES) :]
    assert [(each.photos, each.lost) for each in with_people] == [(3, 1)] * len(SCORES)
    assert all(each.recall == 1 for each in with_people)
    assert all(each.lost == 1 and each.faces >= 1 and math.isnan(each.recall) for each in without)
    assert all(lower.faces >= higher.faces for lower, higher in pairwise(with_people))
