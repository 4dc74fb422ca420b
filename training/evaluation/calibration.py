"""Calibration: thresholds chosen by error rate, and similarity -> probability, on people new to the weights."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.calibration import Calibration, LabelErrors, OperatingPoint
from model.encoder.bundle import BundleMetadata
from training.data.errors import DataError
from training.metrics.bootstrap import draw_people, estimate_fmr_intervals
from training.metrics.verification import PairScores, bin_centres

TARGET_FMRS: Final = tuple(10 ** (-k / 10) for k in range(10, 71))  # 0.1 to 1e-7, ten a decade
MIN_FALSE_MATCHES: Final = 30
MIN_PAIRS_OF_PEOPLE: Final = 30
AMBIGUOUS_ODDS: Final = 9.0  # below this likelihood ratio the better of two candidates is not reported as the match


def calibrate(pairs: PairScores, default_fmr: float, data: str, command: str) -> Calibration:
    """The operating points that the pairs support, with 95 % intervals by bootstrap over people.

    A point is supported by at least MIN_FALSE_MATCHES false matches from MIN_PAIRS_OF_PEOPLE distinct pairs of people.
    The calibration's default FMR is `default_fmr`, or the lowest supported if that is higher. Raises DataError if the
    pairs do not support even an FMR of 0.1.
    """
    supported = (_supported_threshold(pairs, fmr) for fmr in TARGET_FMRS)
    thresholds = sorted({threshold for threshold in supported if threshold is not None})
    if not thresholds or not pairs.genuine_histogram.any():
        raise DataError(
            f"Too few photos to calibrate on. A threshold needs {MIN_FALSE_MATCHES} false matches from "
            f"{MIN_PAIRS_OF_PEOPLE} pairs of people, and some people need several photos. Add people or photos."
        )
    intervals = zip(estimate_fmr_intervals(pairs, thresholds), _fnmr_intervals(pairs, thresholds), strict=True)
    points = tuple(_measure_point(pairs, *each) for each in zip(thresholds, intervals, strict=True))
    slope, intercept = fit_platt(pairs.genuine_histogram, pairs.impostor_histogram)
    return Calibration(
        slope=slope,
        intercept=intercept,
        points=points,
        default_fmr=max(default_fmr, points[-1].fmr),
        ambiguity_margin=math.log(AMBIGUOUS_ODDS) / slope,
        data=data,
        command=command,
    )


def require_calibration(metadata: BundleMetadata) -> Calibration:
    """The bundle's calibration. Raises DataError if it has none."""
    if metadata.calibration is None:
        raise DataError(f"The bundle {metadata.name} is not calibrated. Run `python -m training calibrate` first.")
    return metadata.calibration


def with_label_errors(calibration: Calibration, pairs: PairScores, photos: Sequence[str]) -> Calibration:
    """Adds the rates at the same thresholds on `pairs`, which leave out `photos`, the photos with wrong labels."""
    thresholds = [point.threshold for point in calibration.points]
    rates = [(pairs.fmr_at(each), float((pairs.genuine < each).mean())) for each in thresholds]
    fmr, fnmr = zip(*rates, strict=True)
    return replace(calibration, label_errors=LabelErrors(tuple(photos), fmr, fnmr))


def _supported_threshold(pairs: PairScores, fmr: float) -> float | None:
    """The threshold for this FMR; None if too few false matches, or too few pairs of people, stand behind it."""
    if int(fmr * pairs.impostor_pairs) >= len(pairs.impostor):
        return None
    threshold = pairs.threshold_at(fmr)
    false_matches = int((pairs.impostor >= threshold).sum())
    pairs_of_people = len(np.unique(pairs.impostor_people[:false_matches], axis=0))
    return threshold if false_matches >= MIN_FALSE_MATCHES and pairs_of_people >= MIN_PAIRS_OF_PEOPLE else None


def _measure_point(
    pairs: PairScores, threshold: float, intervals: tuple[tuple[float, float], tuple[float, float]]
) -> OperatingPoint:
    """The operating point at `threshold`, with the intervals of its FMR and its FNMR."""
    false_matches = int((pairs.impostor >= threshold).sum())
    return OperatingPoint(
        threshold=threshold,
        fmr=false_matches / pairs.impostor_pairs,
        fnmr=float((pairs.genuine < threshold).mean()),
        false_matches=false_matches,
        impostor_pairs=pairs.impostor_pairs,
        genuine_pairs=len(pairs.genuine),
        people=pairs.people,
        interval=intervals[0],
        fnmr_interval=intervals[1],
    )


def _fnmr_intervals(pairs: PairScores, thresholds: Sequence[float]) -> list[tuple[float, float]]:
    """95 % intervals of the FNMR at fixed thresholds, by bootstrap over people."""
    order = np.argsort(pairs.genuine, kind="stable")
    people = pairs.genuine_people[order]
    rejected = np.searchsorted(pairs.genuine[order], np.array(thresholds, np.float32), side="left")
    replicates = []
    for drawn in draw_people(pairs.people):
        weights = np.concatenate([[0], np.cumsum(drawn[people])])
        if weights[-1]:  # else nobody with two photos was drawn
            replicates.append(weights[rejected] / weights[-1])
    low, high = np.quantile(np.array(replicates), [0.025, 0.975], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def fit_platt(genuine: NDArray[np.int64], impostor: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and intercept of the log odds of 'same person' at equal priors (Platt 1999, 'Probabilistic outputs for
    support vector machines').

    Logistic regression on the score histograms (BINS,), by Newton's method; either kind has half of the weight.
    """
    scores = bin_centres()
    weight_g, weight_i = genuine / genuine.sum() / 2, impostor / impostor.sum() / 2
    weight = weight_g + weight_i
    beta = np.zeros(2)
    design = np.stack([scores, np.ones_like(scores)])  # (2, BINS)
    ridge = np.diag([1e-9, 1e-9])  # keeps perfectly separated scores from running off to infinity
    for _ in range(100):
        probability = 1 / (1 + np.exp(-np.clip(beta @ design, -50, 50)))
        gradient = design @ (weight * probability - weight_g) + ridge @ beta
        hessian = (design * (weight * probability * (1 - probability))) @ design.T + ridge
        step = np.linalg.solve(hessian, gradient)
        beta -= step * min(1.0, 20.0 / float(np.abs(step).max() + 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(beta[0]), float(beta[1])
