import numpy as np
import pytest

from training.metrics.bootstrap import fmr_intervals, impostor_weight, tar_estimates
from training.metrics.verification import all_pairs

RNG = np.random.default_rng(1)


def sample(people: int, photos: int, noise: float = 1.3) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.repeat(np.arange(people), photos)
    centres = RNG.normal(size=(people, 24))
    drawn = centres[numbers] + noise * RNG.normal(size=(len(numbers), 24))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32), numbers


def test_everybody_drawn_once_weighs_as_many_impostor_pairs_as_there_are() -> None:
    pairs = all_pairs(*sample(20, 3), keep=1.0)
    assert impostor_weight(pairs, np.ones(20, np.int64)) == pairs.impostor_pairs


def test_somebody_drawn_twice_is_no_impostor_to_himself() -> None:
    pairs = all_pairs(*sample(3, 2), keep=1.0)
    assert impostor_weight(pairs, np.array([2, 1, 0])) == 2 * 2 * 2


def test_the_standard_error_is_that_of_drawing_other_people() -> None:
    (estimate,) = tar_estimates(all_pairs(*sample(120, 4), keep=1.0), [0.01])
    others = [all_pairs(*sample(120, 4), keep=1.0).tar_at(0.01) for _ in range(30)]
    assert estimate.standard_error == pytest.approx(np.std(others), rel=0.5)
    assert estimate.interval[0] < estimate.value < estimate.interval[1]


def test_the_interval_of_an_fmr_holds_the_measured_one() -> None:
    pairs = all_pairs(*sample(60, 3), keep=1.0)
    thresholds = [pairs.threshold_at(fmr) for fmr in (0.1, 0.01)]
    for fmr, (low, high) in zip((0.1, 0.01), fmr_intervals(pairs, thresholds), strict=True):
        assert low < fmr < high
        assert high - low < fmr
