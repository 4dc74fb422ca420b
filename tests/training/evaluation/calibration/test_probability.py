import math

import numpy as np
import pytest

from training.evaluation.calibration.probability import MOST_CERTAIN, fit_curve, llr_cost
from training.metrics.verification import BINS, bin_centres


def gaussians(middle: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Genuine and impostor scores around +-middle, as densities."""
    scores = bin_centres()
    both = [np.exp(-((scores - sign * middle) ** 2) / 2 / spread**2) for sign in (1, -1)]
    return both[0] / both[0].sum(), both[1] / both[1].sum()


def test_the_curve_follows_the_log_odds_of_two_gaussians() -> None:
    middle, spread = 0.2, 0.15  # log odds 2 m x / s^2
    curve = fit_curve(*gaussians(middle, spread))
    for similarity, odds in curve:
        if abs(similarity) < 0.3:
            said, true = (1 / (1 + math.exp(-each)) for each in (odds, 2 * middle * similarity / spread**2))
            assert said == pytest.approx(true, abs=0.02)


def test_the_curve_rises_and_claims_no_certainty() -> None:
    curve = fit_curve(*gaussians(0.5, 0.05))  # no overlap
    similarities, odds = zip(*curve, strict=True)
    assert list(similarities) == sorted(set(similarities))
    assert list(odds) == sorted(odds)
    assert max(map(abs, odds)) == pytest.approx(math.log((1 - MOST_CERTAIN) / MOST_CERTAIN))


def test_a_dip_of_genuine_scores_does_not_make_the_curve_fall() -> None:
    genuine, impostor = gaussians(0.2, 0.15)
    dip = genuine.copy()
    dip[BINS * 6 // 10 : BINS * 62 // 100] *= 0.1
    odds = [each for _, each in fit_curve(dip / dip.sum(), impostor)]
    assert odds == sorted(odds)


def test_the_cost_is_one_bit_for_odds_that_say_nothing_and_falls_with_information() -> None:
    genuine, impostor = np.array([0.1, 0.9]), np.array([0.9, 0.1])
    assert llr_cost(np.zeros(2), genuine, impostor) == pytest.approx(1)
    honest = np.log(genuine / impostor)
    assert llr_cost(honest, genuine, impostor) < 0.5
    assert llr_cost(3 * honest, genuine, impostor) > llr_cost(honest, genuine, impostor)
