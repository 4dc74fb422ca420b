"""Thresholds by error rate and similarity -> probability, from people that the weights have never seen."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.calibration import Calibration, LabelErrors, OperatingPoint
from training.data.photos import DataError
from training.metrics.bootstrap import fmr_intervals
from training.metrics.verification import AllPairs, bin_centres

# Ten thresholds a decade, from an FMR of 1 in 10 down to whatever is supported.
TARGETS: Final = tuple(10 ** (-k / 10) for k in range(10, 71))
LEAST_FALSE_MATCHES: Final = 30
LEAST_PAIRS_OF_PEOPLE: Final = 30
AMBIGUOUS_ODDS: Final = 9.0  # below this likelihood ratio, the better of two candidates is not called the match


def calibrate(pairs: AllPairs, default_fmr: float, data: str, command: str) -> Calibration:
    """Every operating point that the pairs support: 30 false matches or more, from 30 or more distinct pairs of people.

    Raises DataError where they do not support even an FMR of 0.1.
    """
    thresholds = [threshold for target in TARGETS if (threshold := _supported(pairs, target)) is not None]
    thresholds = sorted(set(thresholds))
    if not thresholds or not len(pairs.genuine):
        raise DataError(
            "Too few photos to calibrate on: a threshold needs at least 30 false matches from 30 pairs of people, and "
            "genuine pairs, that is several photos of some people."
        )
    intervals = fmr_intervals(pairs, thresholds)
    points = tuple(_point(pairs, *each) for each in zip(thresholds, intervals, strict=True))
    slope, intercept = platt(pairs.genuine_histogram, pairs.impostor_histogram)
    return Calibration(
        slope=slope,
        intercept=intercept,
        points=points,
        default_fmr=max(default_fmr, points[-1].fmr),
        ambiguity_margin=math.log(AMBIGUOUS_ODDS) / slope,
        data=data,
        command=command,
    )


def without_label_errors(found: Calibration, pairs: AllPairs, photos: Sequence[str]) -> Calibration:
    """The same thresholds, with the rates that they have on `pairs`, from which these photos were left out."""
    thresholds = [point.threshold for point in found.points]
    rates = [(pairs.fmr_at(each), float((pairs.genuine < each).mean())) for each in thresholds]
    fmr, fnmr = zip(*rates, strict=True)
    return replace(found, label_errors=LabelErrors(tuple(photos), fmr, fnmr))


def _supported(pairs: AllPairs, target: float) -> float | None:
    if int(target * pairs.impostor_pairs) >= len(pairs.impostor):
        return None
    threshold = pairs.threshold_at(target)
    accepted = int((pairs.impostor >= threshold).sum())
    distinct = len(np.unique(pairs.impostor_people[:accepted], axis=0))
    return threshold if accepted >= LEAST_FALSE_MATCHES and distinct >= LEAST_PAIRS_OF_PEOPLE else None


def _point(pairs: AllPairs, threshold: float, interval: tuple[float, float]) -> OperatingPoint:
    false_matches = int((pairs.impostor >= threshold).sum())
    return OperatingPoint(
        threshold=threshold,
        fmr=false_matches / pairs.impostor_pairs,
        fnmr=float((pairs.genuine < threshold).mean()),
        false_matches=false_matches,
        impostor_pairs=pairs.impostor_pairs,
        genuine_pairs=len(pairs.genuine),
        people=pairs.people,
        interval=interval,
    )


def platt(genuine: NDArray[np.int64], impostor: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and intercept of the log odds at equal priors: logistic regression on the score histograms, each kind
    weighing one half (Platt 1999), by Newton's method."""
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
