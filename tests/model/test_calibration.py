import math
from dataclasses import replace

import pytest

from model.calibration import Calibration, Recognizability, TargetUnsupported, euclidean_distance, expected_fpir
from tests.support.fakes import calibration, operating_point

CURVE = ((0.0, -1.0), (1.0, 1.0))


def test_at_fmr_returns_the_lowest_threshold_that_keeps_the_target() -> None:
    assert calibration().at_fmr(1e-2).threshold == 0.7
    assert calibration().at_fmr(5e-2).threshold == 0.7
    assert calibration().at_fmr(9e-3).threshold == 0.9


def test_at_fmr_returns_the_first_point_for_a_target_above_every_fmr() -> None:
    assert calibration().at_fmr(0.4).threshold == 0.5


def test_at_fmr_uses_the_default_without_a_target() -> None:
    assert calibration().at_fmr().fmr == 1e-2


def test_at_fmr_names_the_lowest_supported_rate_for_an_unsupported_target() -> None:
    with pytest.raises(TargetUnsupported, match=r"lowest supported is 0\.001"):
        calibration().at_fmr(1e-6)


def test_at_fpir_raises_the_threshold_with_the_gallery_size() -> None:
    small = calibration().at_fpir(1, 0.05, explicit=True)
    large = calibration().at_fpir(30, 0.05, explicit=True)
    assert small.point.threshold == 0.7
    assert large.point.threshold == 0.9
    assert large.expected_fpir == pytest.approx(1 - (1 - 1e-3) ** 30)


def test_at_fpir_returns_the_strictest_point_for_an_unsupported_default_target() -> None:
    found = calibration().at_fpir(1000, 0.01, explicit=False)
    assert found.point.threshold == 0.9
    assert not found.target_met
    assert found.expected_fpir == pytest.approx(1 - (1 - 1e-3) ** 1000)


def test_at_fpir_rejects_an_unsupported_explicit_target() -> None:
    with pytest.raises(TargetUnsupported, match=r"among 1000 templates.*0\.632"):
        calibration().at_fpir(1000, 0.01, explicit=True)


def test_at_fpir_treats_an_empty_gallery_as_one_template() -> None:
    assert calibration().at_fpir(0, 0.01, explicit=True).target_met


def test_probability_is_one_half_at_zero_log_odds_and_rises() -> None:
    assert calibration().probability(0.6) == pytest.approx(0.5)
    assert calibration().probability(0.61) > 0.5 > calibration().probability(0.59)
    assert 0 <= calibration().probability(-1) < calibration().probability(1) <= 1


def test_euclidean_distance_of_unit_vectors() -> None:
    assert euclidean_distance(1) == 0
    assert euclidean_distance(0) == pytest.approx(math.sqrt(2))
    assert euclidean_distance(-1) == 2
    assert euclidean_distance(1 + 1e-7) == 0  # a rounding error above 1


def test_expected_fpir_of_independent_comparisons() -> None:
    assert expected_fpir(0.01, 1) == pytest.approx(0.01)
    assert expected_fpir(1e-9, 10**6) == pytest.approx(1e-3, rel=1e-3)


def test_calibration_rejects_points_out_of_order() -> None:
    with pytest.raises(ValueError, match="rising threshold"):
        Calibration(CURVE, (operating_point(0.9, 1e-3), operating_point(0.5, 1e-1)), 1e-2, 0.1, "", "")


@pytest.mark.parametrize("curve", [(), ((0.5, 0.0), (0.4, 1.0)), ((0.4, 1.0), (0.5, 0.0)), ((0.4, 0.0), (0.4, 1.0))])
def test_calibration_rejects_a_curve_that_does_not_rise(curve: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="must rise"):
        Calibration(curve, (operating_point(0.5, 1e-1),), 1e-2, 0.1, "", "")


def test_the_probability_is_constant_outside_the_curve_and_interpolated_inside() -> None:
    bent = replace(calibration(), curve=((0.0, -4.0), (0.5, 0.0), (1.0, 2.0)))
    assert bent.probability(-1) == bent.probability(0) == pytest.approx(1 / (1 + math.exp(4)))
    assert bent.probability(0.75) == pytest.approx(1 / (1 + math.exp(-1)))
    assert bent.even_odds == pytest.approx(0.5)


def test_a_point_whose_worst_group_exceeds_ten_times_the_target_does_not_keep_it() -> None:
    unfair, fair = (replace(operating_point(t, 1e-3), fmr_worst_group=w) for t, w in ((0.5, 0.02), (0.7, 0.009)))
    assert replace(calibration(), points=(unfair, fair)).at_fmr(1e-3) == fair
    assert replace(calibration(), points=(unfair, fair)).at_fmr(2e-3) == unfair


def test_a_group_is_not_held_to_less_than_its_pairs_can_show() -> None:
    strict = replace(operating_point(0.9, 1e-6), fmr_worst_group=1e-3)
    assert replace(calibration(), points=(strict,)).at_fmr(1e-6) == strict
    with pytest.raises(TargetUnsupported):
        replace(calibration(), points=(replace(strict, fmr_worst_group=2e-3),)).at_fmr(1e-6)


def test_the_threshold_rises_for_a_doubtful_face_only() -> None:
    rule = Recognizability(refused_below=0.2, doubtful_below=0.5, raised_by=0.1, usable_refused=0.004)
    assert rule.raise_for(0.49) == 0.1
    assert rule.raise_for(0.5) == 0.0


@pytest.mark.parametrize("target", [0.001, 0.01, 0.1, 0.3])
@pytest.mark.parametrize("worst", [None, 5e-4, 0.09])
def test_the_largest_gallery_is_the_last_one_that_keeps_the_target(target: float, worst: float | None) -> None:
    points = [replace(operating_point(0.5 + rate, 1e-6 / rate), fmr_worst_group=worst) for rate in (0.1, 0.2)]
    some = replace(calibration(), points=tuple(points))
    largest = some.largest_gallery(target)
    assert largest is not None
    if largest:
        assert some.at_fpir(largest, target, explicit=False).target_met
    assert not some.at_fpir(largest + 1, target, explicit=False).target_met


def test_a_point_without_false_matches_bears_any_gallery() -> None:
    some = replace(calibration(), points=(operating_point(0.5, 0.0),))
    assert some.largest_gallery(0.01) is None
