import numpy as np
import pytest

from tests.training.metrics.test_bootstrap import sample
from training.data.photos import DataError
from training.evaluation.calibration import calibrate, platt, without_label_errors
from training.metrics.verification import BINS, all_pairs, bin_centres


def test_every_point_keeps_its_promise_and_is_supported() -> None:
    pairs = all_pairs(*sample(150, 4))
    found = calibrate(pairs, 1e-3, "data", "command")
    assert found.points[0].fmr == pytest.approx(0.1, rel=0.01)
    for point in found.points:
        assert point.false_matches >= 30
        assert point.fmr == (pairs.impostor >= point.threshold).sum() / pairs.impostor_pairs
        assert point.fnmr == (pairs.genuine < point.threshold).mean()
        assert point.interval[0] <= point.fmr <= point.interval[1]
    assert found.strictest.fmr < 3e-4


def test_thirty_false_matches_of_few_people_do_not_support_a_point() -> None:
    vectors, people = sample(150, 4)
    twins = vectors.copy()
    twins[people == 1] = twins[people == 0]  # sixteen false matches, of one pair of people
    twins[people == 3] = twins[people == 2]
    pairs = all_pairs(twins, people)
    for point in calibrate(pairs, 1e-3, "", "").points:
        assert len(np.unique(pairs.impostor_people[: point.false_matches], axis=0)) >= 30


def test_a_default_stricter_than_what_is_supported_becomes_the_strictest() -> None:
    found = calibrate(all_pairs(*sample(60, 3)), 1e-9, "", "")
    assert found.default_fmr == found.strictest.fmr
    assert found.at_fmr() == found.strictest


def test_too_few_photos_are_refused_in_words() -> None:
    with pytest.raises(DataError, match="Too few photos"):
        calibrate(all_pairs(*sample(4, 2)), 1e-2, "", "")


def test_platt_recovers_the_log_odds_of_two_equal_gaussians() -> None:
    # Two normal kinds of equal spread s at +-m have the log odds 2 m x / s^2.
    scores, spread, middle = bin_centres(), 0.15, 0.2
    genuine = (1e6 * np.exp(-((scores - middle) ** 2) / 2 / spread**2)).astype(np.int64)
    impostor = (3e6 * np.exp(-((scores + middle) ** 2) / 2 / spread**2)).astype(np.int64)
    slope, intercept = platt(genuine, impostor)
    assert slope == pytest.approx(2 * middle / spread**2, rel=0.01)
    assert intercept == pytest.approx(0, abs=0.05)


def test_platt_stays_finite_where_the_kinds_do_not_overlap() -> None:
    genuine, impostor = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    genuine[3000], impostor[1000] = 10, 10
    slope, intercept = platt(genuine, impostor)
    assert np.isfinite([slope, intercept]).all()
    assert slope > 0


def test_rates_without_label_errors_are_those_of_the_rest_at_the_same_thresholds() -> None:
    vectors, people = sample(150, 4)
    wrong = vectors.copy()
    wrong[0] = vectors[people == 7][0]  # the first photo of person 0 shows person 7
    found = calibrate(all_pairs(wrong, people), 1e-3, "", "")
    rest = all_pairs(wrong[1:], people[1:])
    errors = without_label_errors(found, rest, ["0/1.jpg"]).label_errors
    assert errors is not None
    assert errors.photos == ("0/1.jpg",)
    for point, fmr, fnmr in zip(found.points, errors.fmr, errors.fnmr, strict=True):
        assert fmr == rest.fmr_at(point.threshold)
        assert fnmr == (rest.genuine < point.threshold).mean()
    assert errors.fnmr[-1] < found.points[-1].fnmr
