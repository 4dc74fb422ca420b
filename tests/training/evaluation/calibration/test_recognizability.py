import numpy as np
import pytest

from model.encoder.encoding import Encoding
from training.evaluation.calibration.recognizability import MOST_REFUSED, choose_floors
from training.evaluation.trust.degraded import DegradedFaces, impostor_scores, rates_by_kind

THRESHOLD, FMR = 0.5, 1e-3


def strangers(alike: int, judged: float) -> DegradedFaces:
    """200 people, of whom the first `alike` have the same vector and this recognizability; others are readable."""
    vectors = np.random.default_rng(0).normal(size=(200, 64))
    vectors[:alike] = vectors[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    values = np.full(200, 0.9, np.float32)
    values[:alike] = judged
    return DegradedFaces("masked", Encoding(vectors.astype(np.float32), values))


USABLE = np.linspace(0.4, 1.0, 1000, dtype=np.float32)


def test_few_usable_photos_are_refused() -> None:
    floors = choose_floors(USABLE, [strangers(20, 0.1)], THRESHOLD, FMR)
    assert floors.usable_refused == pytest.approx(MOST_REFUSED, abs=0.001)
    assert floors.refused_below < floors.doubtful_below


def test_strangers_below_the_first_floor_need_no_higher_threshold() -> None:
    assert choose_floors(USABLE, [strangers(20, 0.1)], THRESHOLD, FMR).raised_by == 0


def test_the_threshold_rises_until_doubtful_strangers_keep_the_rate() -> None:
    doubtful = strangers(20, 0.404)  # identical vectors: no threshold below 1 is enough
    floors = choose_floors(USABLE, [doubtful], THRESHOLD, FMR)
    assert floors.doubtful_below > 0.404
    assert floors.raised_by == pytest.approx(0.4)


def test_the_doubtful_floor_rises_to_the_photos_that_are_confused() -> None:
    low = choose_floors(USABLE, [strangers(20, 0.402)], THRESHOLD, FMR).doubtful_below
    high = choose_floors(USABLE, [strangers(20, 0.45)], THRESHOLD, FMR).doubtful_below
    assert low < 0.45 < high


def test_rates_count_refused_pairs_as_not_matched() -> None:
    faces = strangers(20, 0.1)
    scores, judged = impostor_scores(faces)
    assert len(scores) == len(judged) == 200 * 199 // 2
    accepted = rates_by_kind([faces], lambda values: np.full(len(values), THRESHOLD, np.float32), 0.0)["masked"]
    refused = rates_by_kind([faces], lambda values: np.full(len(values), THRESHOLD, np.float32), 0.2)["masked"]
    assert accepted["fmr"] >= 190 / len(scores)
    assert refused["fmr"] < 20 / len(scores)
    assert refused["refused"] == pytest.approx(0.1)
