import numpy as np
import pytest

from tests.support.training.embeddings import random_embeddings
from training.data.errors import DataError
from training.evaluation.calibration.points import calibrate, fit_platt, with_label_errors
from training.metrics.bootstrap import draw_people
from training.metrics.pooling import PooledPairs
from training.metrics.verification import BINS, bin_centres, compare_all_pairs


def test_every_point_has_its_measured_rates_and_is_supported() -> None:
    pairs = compare_all_pairs(*random_embeddings(150, 4))
    calibration = calibrate(PooledPairs([pairs]), 1e-3, "data", "command")
    assert calibration.points[0].fmr == pytest.approx(0.1, rel=0.01)
    for point in calibration.points:
        assert point.false_matches >= 30
        assert point.fmr == (pairs.impostor >= point.threshold).sum() / pairs.impostor_pairs
        assert point.fnmr == (pairs.genuine < point.threshold).mean()
        assert point.interval[0] <= point.fmr <= point.interval[1]
        assert point.fnmr_interval[0] <= point.fnmr <= point.fnmr_interval[1]
    assert calibration.strictest.fmr < 3e-4


def test_thirty_false_matches_of_few_people_do_not_support_a_point() -> None:
    vectors, people = random_embeddings(150, 4)
    twins = vectors.copy()
    twins[people == 1] = twins[people == 0]  # sixteen false matches, of one pair of people
    twins[people == 3] = twins[people == 2]
    pairs = compare_all_pairs(twins, people)
    for point in calibrate(PooledPairs([pairs]), 1e-3, "", "").points:
        assert len(np.unique(pairs.impostor_people[: point.false_matches], axis=0)) >= 30


def test_an_unsupported_default_fmr_becomes_the_strictest_supported() -> None:
    calibration = calibrate(PooledPairs([compare_all_pairs(*random_embeddings(60, 3))]), 1e-9, "", "")
    assert calibration.default_fmr == calibration.strictest.fmr
    assert calibration.at_fmr() == calibration.strictest


def test_too_few_photos_are_refused() -> None:
    with pytest.raises(DataError, match="Too few photos"):
        calibrate(PooledPairs([compare_all_pairs(*random_embeddings(4, 2))]), 1e-2, "", "")


def test_platt_recovers_the_log_odds_of_two_equal_gaussians() -> None:
    # Two normal distributions of standard deviation s at +-m have the log odds 2 m x / s^2.
    scores, spread, middle = bin_centres(), 0.15, 0.2
    genuine = (1e6 * np.exp(-((scores - middle) ** 2) / 2 / spread**2)).astype(np.int64)
    impostor = (3e6 * np.exp(-((scores + middle) ** 2) / 2 / spread**2)).astype(np.int64)
    slope, intercept = fit_platt(genuine, impostor)
    assert slope == pytest.approx(2 * middle / spread**2, rel=0.01)
    assert intercept == pytest.approx(0, abs=0.05)


def test_platt_stays_finite_for_scores_that_do_not_overlap() -> None:
    genuine, impostor = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    genuine[3000], impostor[1000] = 10, 10
    slope, intercept = fit_platt(genuine, impostor)
    assert np.isfinite([slope, intercept]).all()
    assert slope > 0


def test_rates_without_label_errors_leave_out_the_mislabelled_photos() -> None:
    vectors, people = random_embeddings(150, 4)
    wrong = vectors.copy()
    wrong[0] = vectors[people == 7][0]  # the first photo of person 0 shows person 7
    calibration = calibrate(PooledPairs([compare_all_pairs(wrong, people)]), 1e-3, "", "")
    rest = compare_all_pairs(wrong[1:], people[1:])
    errors = with_label_errors(calibration, PooledPairs([rest]), ["0/1.jpg"]).label_errors
    assert errors is not None
    assert errors.photos == ("0/1.jpg",)
    for point, fmr, fnmr in zip(calibration.points, errors.fmr, errors.fnmr, strict=True):
        assert fmr == rest.fmr_at(point.threshold)
        assert fnmr == (rest.genuine < point.threshold).mean()
    assert errors.fnmr[-1] < calibration.points[-1].fnmr


def test_fnmr_intervals_come_from_a_bootstrap_over_people() -> None:
    vectors, people = random_embeddings(150, 4)
    pairs = compare_all_pairs(vectors, people)
    point = calibrate(PooledPairs([pairs]), 1e-3, "", "").points[-1]
    replicates = []
    for drawn in draw_people(pairs.people):
        weights = drawn[pairs.genuine_people]
        replicates.append((weights * (pairs.genuine < point.threshold)).sum() / weights.sum())
    assert point.fnmr_interval == pytest.approx(tuple(np.quantile(replicates, [0.025, 0.975])))


def test_one_person_with_two_photos_is_enough_for_an_fnmr_interval() -> None:
    vectors, people = random_embeddings(150, 4)
    kept = np.unique(people, return_index=True)[1].tolist()
    rows = sorted([*kept, int(np.flatnonzero(people == 0)[1])])
    for point in calibrate(PooledPairs([compare_all_pairs(vectors[rows], people[rows])]), 1e-3, "", "").points:
        assert point.fnmr_interval in ((0.0, 0.0), (1.0, 1.0))


def test_photos_without_scored_genuine_pairs_are_refused() -> None:
    vectors, people = random_embeddings(150, 1)
    with pytest.raises(DataError, match="Too few photos"):
        calibrate(PooledPairs([compare_all_pairs(vectors, people, missing=people)]), 1e-3, "", "")
