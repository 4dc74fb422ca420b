import math

import pytest

from model.calibration import Calibration, TargetUnsupported, distance, fpir
from tests.support.fakes import calibration, operating_point


def test_a_target_gets_the_laxest_point_that_keeps_it() -> None:
    assert calibration().at_fmr(1e-2).threshold == 0.7
    assert calibration().at_fmr(5e-2).threshold == 0.7
    assert calibration().at_fmr(9e-3).threshold == 0.9


def test_a_target_laxer_than_every_point_gets_the_laxest() -> None:
    assert calibration().at_fmr(0.4).threshold == 0.5


def test_without_a_target_the_default_applies() -> None:
    assert calibration().at_fmr().fmr == 1e-2


def test_an_unsupported_target_names_the_best_attainable() -> None:
    with pytest.raises(TargetUnsupported, match=r"lowest supported is 0\.001"):
        calibration().at_fmr(1e-6)


def test_the_threshold_grows_with_the_gallery() -> None:
    small = calibration().at_fpir(1, 0.05, explicit=True)
    large = calibration().at_fpir(30, 0.05, explicit=True)
    assert small.point.threshold == 0.7
    assert large.point.threshold == 0.9
    assert large.expected_fpir == pytest.approx(1 - (1 - 1e-3) ** 30)


def test_a_default_target_out_of_reach_takes_the_strictest_and_says_so() -> None:
    found = calibration().at_fpir(1000, 0.01, explicit=False)
    assert found.point.threshold == 0.9
    assert not found.target_met
    assert found.expected_fpir == pytest.approx(1 - (1 - 1e-3) ** 1000)


def test_an_explicit_target_out_of_reach_is_refused() -> None:
    with pytest.raises(TargetUnsupported, match=r"among 1000 templates.*0\.632"):
        calibration().at_fpir(1000, 0.01, explicit=True)


def test_an_empty_gallery_is_searched_like_one_of_a_single_template() -> None:
    assert calibration().at_fpir(0, 0.01, explicit=True).target_met


def test_the_probability_is_one_half_where_the_log_odds_are_zero_and_rises() -> None:
    assert calibration().probability(0.6) == pytest.approx(0.5)
    assert calibration().probability(0.61) > 0.5 > calibration().probability(0.59)
    assert 0 <= calibration().probability(-1) < calibration().probability(1) <= 1


def test_distance_is_that_of_unit_vectors() -> None:
    assert distance(1) == 0
    assert distance(0) == pytest.approx(math.sqrt(2))
    assert distance(-1) == 2
    assert distance(1 + 1e-7) == 0  # rounding must not make it imaginary


def test_fpir_of_many_comparisons() -> None:
    assert fpir(0.01, 1) == pytest.approx(0.01)
    assert fpir(1e-9, 10**6) == pytest.approx(1e-3, rel=1e-3)


def test_points_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="rising threshold"):
        Calibration(1, 0, (operating_point(0.9, 1e-3), operating_point(0.5, 1e-1)), 1e-2, 0.1, "", "")
