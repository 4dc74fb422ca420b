import numpy as np
import pytest

from tests.support.training.embeddings import random_embeddings
from training.metrics.bootstrap import count_impostor_pairs, draw_people, estimate_tar, fmr_replicates
from training.metrics.verification import compare_all_pairs


def test_drawing_everybody_once_counts_all_impostor_pairs() -> None:
    pairs = compare_all_pairs(*random_embeddings(20, 3), keep=1.0)
    assert count_impostor_pairs(pairs, np.ones(20, np.int64)) == pairs.impostor_pairs


def test_a_person_drawn_twice_is_not_an_impostor_pair() -> None:
    pairs = compare_all_pairs(*random_embeddings(3, 2), keep=1.0)
    assert count_impostor_pairs(pairs, np.array([2, 1, 0])) == 2 * 2 * 2


def test_the_standard_error_is_the_spread_over_other_people() -> None:
    (estimate,) = estimate_tar(compare_all_pairs(*random_embeddings(120, 4), keep=1.0), [0.01])
    others = [compare_all_pairs(*random_embeddings(120, 4), keep=1.0).tar_at(0.01) for _ in range(30)]
    assert estimate.standard_error == pytest.approx(np.std(others), rel=0.5)
    assert estimate.interval[0] < estimate.value < estimate.interval[1]


def test_the_interval_of_an_fmr_contains_the_measured_rate() -> None:
    pairs = compare_all_pairs(*random_embeddings(60, 3), keep=1.0)
    thresholds = [pairs.threshold_at(fmr) for fmr in (0.1, 0.01)]
    limits = np.quantile(fmr_replicates(pairs, thresholds), [0.025, 0.975], axis=0).T
    for fmr, (low, high) in zip((0.1, 0.01), limits, strict=True):
        assert low < fmr < high
        assert high - low < fmr


def test_a_replicate_counts_the_false_matches_of_the_people_who_were_drawn() -> None:
    pairs = compare_all_pairs(*random_embeddings(25, 3), keep=1.0)
    thresholds = [pairs.threshold_at(fmr) for fmr in (0.01, 0.2, 0.05)]  # in no order
    drawn = list(draw_people(25))[7]
    weights = drawn[pairs.impostor_people].prod(axis=1)
    expected = [weights[pairs.impostor >= each].sum() / count_impostor_pairs(pairs, drawn) for each in thresholds]
    np.testing.assert_allclose(fmr_replicates(pairs, thresholds)[7], expected)
