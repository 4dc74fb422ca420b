import numpy as np
import pytest

from tests.support.training.embeddings import random_embeddings
from training.metrics.pooling import PooledPairs
from training.metrics.verification import compare_all_pairs


@pytest.fixture
def pooled() -> PooledPairs:
    large, small = random_embeddings(150, 4), random_embeddings(40, 3)
    strangers = random_embeddings(60, 1)  # one photo each: no genuine pair
    return PooledPairs([compare_all_pairs(*each) for each in (large, small, strangers)])


def test_every_set_counts_alike(pooled: PooledPairs) -> None:
    threshold = pooled.sets[0].threshold_at(0.05)
    assert pooled.fmr_at(threshold) == pytest.approx(np.mean([each.fmr_at(threshold) for each in pooled.sets]))
    with_genuine = [(each.genuine < threshold).mean() for each in pooled.sets[:2]]
    assert pooled.fnmr_at(threshold) == pytest.approx(np.mean(with_genuine))
    assert pooled.false_matches_at(threshold) == sum(int((each.impostor >= threshold).sum()) for each in pooled.sets)
    assert pooled.people == 250


def test_the_threshold_is_the_lowest_that_keeps_the_rate(pooled: PooledPairs) -> None:
    threshold = pooled.threshold_at(0.01)
    assert threshold is not None
    assert pooled.fmr_at(threshold) <= 0.01
    assert pooled.fmr_at(float(np.nextafter(np.float32(threshold), np.float32(-1)))) > 0.01


def test_a_rate_above_the_kept_scores_has_no_threshold(pooled: PooledPairs) -> None:
    assert pooled.threshold_at(0.5) is None


def test_intervals_contain_the_rates(pooled: PooledPairs) -> None:
    threshold = pooled.threshold_at(0.02)
    assert threshold is not None
    ((low, high),) = pooled.fmr_intervals([threshold])
    assert low < pooled.fmr_at(threshold) < high
    ((low, high),) = pooled.fnmr_intervals([threshold])
    assert low <= pooled.fnmr_at(threshold) <= high


def test_densities_have_the_sum_one(pooled: PooledPairs) -> None:
    for density in pooled.densities:
        assert density.sum() == pytest.approx(1)


def test_a_set_that_is_too_small_for_a_rate_does_not_enter_it(pooled: PooledPairs) -> None:
    pairs = [each.impostor_pairs for each in pooled.sets]
    assert pooled.supporting(0.2).sets == pooled.sets
    assert pooled.supporting(0.1).sets == pooled.sets[:2]  # 60 strangers have 1,770 pairs, 177 of them false matches
    assert pooled.supporting(10 / pairs[0]).sets == [pooled.sets[0]]  # the largest
    assert not pooled.supporting(1e-9).sets
