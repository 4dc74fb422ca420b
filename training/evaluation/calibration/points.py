"""Calibration: thresholds chosen by error rate, and similarity -> probability, on people new to the weights."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.calibration import WORST_GROUP_FACTOR, Calibration, LabelErrors, OperatingPoint
from model.encoder.bundle import BundleMetadata
from training.data.errors import DataError
from training.evaluation.calibration.probability import fit_curve
from training.metrics.groups import GroupScores
from training.metrics.pooling import Interval, PooledPairs
from training.metrics.verification import bin_centres

TARGET_FMRS: Final = tuple(10 ** (-k / 10) for k in range(10, 71))  # 0.1 to 1e-7, ten a decade
MIN_FALSE_MATCHES: Final = 30
MIN_PAIRS_OF_PEOPLE: Final = 30
AMBIGUOUS_ODDS: Final = 9.0  # below this likelihood ratio the better of two candidates is not reported as the match


def calibrate(
    pooled: PooledPairs,
    default_fmr: float,
    data: str,
    command: str,
    groups: GroupScores | None = None,
) -> Calibration:
    """The operating points that the pairs support, with 95 % intervals by bootstrap over people.

    A point is supported by at least MIN_FALSE_MATCHES false matches from MIN_PAIRS_OF_PEOPLE distinct pairs of people.
    The calibration's default FMR is `default_fmr`, or the lowest supported if that is higher. Raises DataError if the
    pairs do not support even an FMR of 0.1.
    """
    chosen = _choose_thresholds(pooled)
    if not chosen or not pooled.with_genuine:
        raise DataError(
            f"Too few photos to calibrate on. A threshold needs {MIN_FALSE_MATCHES} false matches from "
            f"{MIN_PAIRS_OF_PEOPLE} pairs of people, and some people need several photos. Add people or photos."
        )
    fnmr_intervals = pooled.fnmr_intervals([threshold for threshold, _ in chosen])
    # The bootstrap takes long, so all thresholds with the same sets share one.
    fmr_intervals: list[Interval] = []
    for _, alike in groupby(chosen, key=lambda each: len(each[1].sets)):
        shared = list(alike)
        fmr_intervals += shared[0][1].fmr_intervals([threshold for threshold, _ in shared])
    intervals = zip(fmr_intervals, fnmr_intervals, strict=True)
    points = tuple(_measure_point(pooled, groups, *each) for each in zip(chosen, intervals, strict=True))
    genuine, impostor = pooled.densities
    slope, _ = fit_platt(genuine, impostor)
    return Calibration(
        curve=fit_curve(genuine, impostor),
        points=points,
        default_fmr=max(default_fmr, min(_promised_fmr(point) for point in points)),
        ambiguity_margin=math.log(AMBIGUOUS_ODDS) / slope,
        data=data,
        command=command,
    )


def _promised_fmr(point: OperatingPoint) -> float:
    """The lowest FMR that this point keeps, on average and for every group of adults."""
    return max(point.fmr, (point.fmr_worst_group or 0.0) / WORST_GROUP_FACTOR)


def require_calibration(metadata: BundleMetadata) -> Calibration:
    """The bundle's calibration. Raises DataError if it has none."""
    if metadata.calibration is None:
        raise DataError(f"The bundle {metadata.name} is not calibrated. Run `python -m training calibrate` first.")
    return metadata.calibration


def with_label_errors(calibration: Calibration, pooled: PooledPairs, photos: Sequence[str]) -> Calibration:
    """Adds the rates at the same thresholds on `pooled`, which leaves out `photos`, the photos with wrong labels."""
    thresholds = [point.threshold for point in calibration.points]
    supporting = [pooled.supporting(point.fmr) for point in calibration.points]
    rates = [(pool.fmr_at(each), pooled.fnmr_at(each)) for pool, each in zip(supporting, thresholds, strict=True)]
    fmr, fnmr = zip(*rates, strict=True)
    return replace(calibration, label_errors=LabelErrors(tuple(photos), fmr, fnmr))


def _choose_thresholds(pooled: PooledPairs) -> list[tuple[float, PooledPairs]]:
    """The supported thresholds in rising order, each with the sets that its rate was measured on."""
    chosen: list[tuple[float, PooledPairs]] = []
    for fmr in TARGET_FMRS:
        supporting = pooled.supporting(fmr)
        threshold = _supported_threshold(supporting, fmr) if supporting.sets else None
        # Fewer sets can have a lower threshold for a lower rate; the points must rise.
        if threshold is not None and (not chosen or threshold > chosen[-1][0]):
            chosen.append((threshold, supporting))
    return chosen


def _supported_threshold(pooled: PooledPairs, fmr: float) -> float | None:
    """The threshold for this FMR; None if too few false matches, or too few pairs of people, stand behind it."""
    threshold = pooled.threshold_at(fmr)
    if threshold is None or pooled.false_matches_at(threshold) < MIN_FALSE_MATCHES:
        return None
    return threshold if pooled.pairs_of_people_at(threshold) >= MIN_PAIRS_OF_PEOPLE else None


def _measure_point(
    pooled: PooledPairs,
    groups: GroupScores | None,
    chosen: tuple[float, PooledPairs],
    intervals: tuple[Interval, Interval],
) -> OperatingPoint:
    """The operating point of a threshold: its FMR on the sets that support it, its FNMR on all of them."""
    threshold, supporting = chosen
    worst = groups.worst_adults_at(threshold) if groups else None
    return OperatingPoint(
        threshold=threshold,
        fmr=supporting.fmr_at(threshold),
        fnmr=pooled.fnmr_at(threshold),
        false_matches=supporting.false_matches_at(threshold),
        impostor_pairs=supporting.impostor_pairs,
        genuine_pairs=pooled.genuine_pairs,
        people=pooled.people,
        interval=intervals[0],
        fnmr_interval=intervals[1],
        fmr_worst_group=worst[1] if worst else None,
        worst_group=worst[0] if worst else None,
    )


def fit_platt(genuine: NDArray[np.number], impostor: NDArray[np.number]) -> tuple[float, float]:
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
