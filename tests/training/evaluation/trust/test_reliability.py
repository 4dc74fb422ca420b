import numpy as np
import pytest

from tests.support.training.embeddings import random_embeddings
from training.evaluation.calibration.points import calibrate
from training.evaluation.trust.reliability import cross_fit, largest_difference, measure_discard, measure_probability
from training.metrics.pooling import PooledPairs
from training.metrics.verification import compare_all_pairs


def test_probabilities_are_right_on_people_like_those_that_fitted_them() -> None:
    fitted, tested = (compare_all_pairs(*random_embeddings(400, 4)) for _ in range(2))
    report = measure_probability(calibrate(PooledPairs([fitted]), 1e-3, "", ""), tested)
    assert report["lowest_cllr"] - 0.01 <= report["cllr"] < 0.9
    assert sum(each["share"] for each in report["bins"]) == pytest.approx(1)
    for each in report["bins"]:
        if each["share"] > 0.05:
            assert each["said"] == pytest.approx(each["true"], abs=0.1)


def test_a_curve_is_tested_on_the_half_of_the_people_that_did_not_fit_it() -> None:
    halves = [PooledPairs([compare_all_pairs(*random_embeddings(300, 4)) for _ in range(2)]) for _ in range(2)]
    report = cross_fit(halves)
    assert len(report["halves"]) == 2
    assert report["largest_difference"] == max(map(largest_difference, report["halves"])) < 0.2


def test_bins_with_few_pairs_are_not_judged() -> None:
    rows = [{"said": 0.2, "true": 0.3, "error": 0.015}, {"said": 0.5, "true": 1.0, "error": 0.016}]
    assert largest_difference({"bins": rows}) == pytest.approx(0.1)
    assert largest_difference({"bins": rows[1:]}) == 0


def test_a_quality_that_knows_the_errors_takes_them_away_first() -> None:
    similarities = np.linspace(0, 1, 100, dtype=np.float32)
    knows = measure_discard(similarities, similarities, threshold=0.2)
    assert knows["fnmr"] == pytest.approx(0.2)
    assert knows["without_the_worst"] == {"0.1": pytest.approx(1 / 9), "0.2": 0.0, "0.3": 0.0}
    contrary = measure_discard(similarities, -similarities, threshold=0.2)
    assert contrary["without_the_worst"]["0.3"] > 0.2
