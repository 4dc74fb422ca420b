import numpy as np
import pytest

from training.metrics.groups import MIN_MATCHES, MIN_PEOPLE, GroupScores, compare_within_groups


def unit_vectors(count: int, spread: float, seed: int) -> np.ndarray:
    """People around one direction: the smaller the spread, the more they resemble each other."""
    rng = np.random.default_rng(seed)
    vectors = np.array([1.0, *[0.0] * 15]) + spread * rng.normal(size=(count, 16))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture
def scores() -> GroupScores:
    vectors = np.concatenate([unit_vectors(100, 2.0, 0), unit_vectors(100, 0.5, 1), unit_vectors(100, 0.1, 2)])
    groups = ["different"] * 100 + ["alike"] * 100 + ["children"] * 100
    return compare_within_groups(vectors, groups, frozenset({"different", "alike"}))


def test_a_rate_counts_pairs_within_the_group_from_the_threshold_on(scores: GroupScores) -> None:
    threshold = float(scores.scores["alike"][1000])
    assert scores.fmr_at(threshold)["alike"] == pytest.approx(1 - 1000 / 4950)


def test_the_worst_group_is_one_of_adults(scores: GroupScores) -> None:
    found = scores.worst_adults_at(0.5)
    assert found is not None
    worst, fmr = found
    assert worst == "alike"
    assert fmr < scores.fmr_at(0.5)["children"]


def test_no_group_of_adults_exceeds_the_rate_at_its_threshold(scores: GroupScores) -> None:
    threshold = scores.threshold_at(0.01)
    for place, is_kept in ((threshold, True), (threshold - 0.02, False)):
        found = scores.worst_adults_at(place)
        assert found is not None
        assert (found[1] <= 0.01) == is_kept


def test_a_group_with_few_false_matches_is_not_the_worst(scores: GroupScores) -> None:
    threshold = float(scores.scores["alike"][-MIN_MATCHES])
    assert scores.worst_adults_at(threshold) is not None
    assert scores.worst_adults_at(float(np.nextafter(np.float32(threshold), np.float32(2)))) is None


def test_small_groups_are_left_out() -> None:
    few = compare_within_groups(unit_vectors(MIN_PEOPLE - 1, 1, 0), ["few"] * (MIN_PEOPLE - 1), frozenset({"few"}))
    assert not few.scores
    assert not few.adults
