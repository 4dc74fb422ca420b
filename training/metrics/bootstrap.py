"""Bootstrap over people: standard errors and 95 % intervals of FMR and TAR.

People are resampled, not pairs, because the pairs of one person are not independent (Bolle, Ratha, Pankanti 2004, 'An
evaluation of error confidence interval estimation methods').
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.metrics.verification import PairScores

REPLICATES: Final = 1000
BLOCK: Final = 100  # replicates that are computed at once


@dataclass(frozen=True)
class Estimate:
    """A rate with its standard error and 95 % interval."""

    value: float
    standard_error: float
    interval: tuple[float, float]


def summarise_replicates(value: float, replicates: NDArray[np.float64]) -> Estimate:
    """The estimate of a rate from its value on the real people and on each replicate (R,)."""
    low, high = np.quantile(replicates, [0.025, 0.975])
    return Estimate(value, float(replicates.std(ddof=1)), (float(low), float(high)))


def draw_people(count: int, replicates: int = REPLICATES, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yields for each replicate how often each of `count` people is drawn, (P,).

    The same seed gives the same draws, so that two encoders can be compared on the same replicates.
    """
    rng = np.random.default_rng(seed)
    for _ in range(replicates):
        yield np.bincount(rng.integers(0, count, count), minlength=count)


def count_impostor_pairs(pairs: PairScores, drawn: NDArray[np.int64]) -> float:
    """The number of impostor pairs in a replicate: pairs of distinct people, as often as both were drawn."""
    weighted = drawn * pairs.photos
    return float((weighted.sum() ** 2 - (weighted**2).sum()) / 2)


def bootstrap_tar(pairs: PairScores, fmrs: Sequence[float]) -> NDArray[np.float64]:
    """TAR at each FMR in each replicate, (at most REPLICATES, len(fmrs)). Each replicate has its own thresholds.

    A replicate without genuine pairs is left out.
    """
    rates = []
    first, second = pairs.impostor_people.T
    for drawn in draw_people(pairs.people):
        accepted = np.cumsum(drawn[first] * drawn[second])
        weight = drawn[pairs.genuine_people]
        if not weight.any():
            continue  # nobody with two photos was drawn
        total = count_impostor_pairs(pairs, drawn)
        cuts = [min(int(np.searchsorted(accepted, fmr * total, side="right")), len(accepted) - 1) for fmr in fmrs]
        rates.append([float(weight @ (pairs.genuine > pairs.impostor[cut])) / weight.sum() for cut in cuts])
    return np.array(rates)


def estimate_tar(pairs: PairScores, fmrs: Sequence[float]) -> list[Estimate]:
    """TAR at each FMR, with standard error and interval. Raises ValueError like `PairScores.threshold_at`."""
    replicates = bootstrap_tar(pairs, fmrs)
    return [summarise_replicates(pairs.tar_at(fmr), replicates[:, i]) for i, fmr in enumerate(fmrs)]


def fmr_replicates(pairs: PairScores, thresholds: Sequence[float]) -> NDArray[np.float64]:
    """The FMR at each fixed threshold in each replicate, (REPLICATES, T)."""
    from scipy.sparse import coo_array

    counts = np.searchsorted(-pairs.impostor, -np.array(thresholds, np.float32), side="right")
    order = np.argsort(counts, kind="stable")
    bands, start = [], 0  # matrices (P, P): how often each pair of people is accepted, but not at the threshold before
    for end in counts[order]:
        first, second = pairs.impostor_people[start:end].T
        shape = (pairs.people, pairs.people)
        bands.append(coo_array((np.ones(end - start), (first, second)), shape=shape).tocsr())
        start = int(end)
    draws = np.stack(list(draw_people(pairs.people)))  # (R, P)
    totals = np.array([count_impostor_pairs(pairs, drawn) for drawn in draws])
    rates = np.empty((len(draws), len(order)))
    for at in range(0, len(draws), BLOCK):
        drawn = draws[at : at + BLOCK].T.astype(np.float64)  # (P, R)
        accepted = [((band @ drawn) * drawn).sum(axis=0) for band in bands]
        rates[at : at + BLOCK, order] = np.cumsum(accepted, axis=0).T
    return np.asarray(rates / totals[:, None], np.float64)


def fnmr_replicates(pairs: PairScores, thresholds: Sequence[float]) -> NDArray[np.float64]:
    """The FNMR at each fixed threshold in each replicate, (at most REPLICATES, T)."""
    order = np.argsort(pairs.genuine, kind="stable")
    people = pairs.genuine_people[order]
    rejected = np.searchsorted(pairs.genuine[order], np.array(thresholds, np.float32), side="left")
    replicates = []
    for drawn in draw_people(pairs.people):
        weights = np.concatenate([[0], np.cumsum(drawn[people])])
        if weights[-1]:  # else nobody with two photos was drawn
            replicates.append(weights[rejected] / weights[-1])
    return np.array(replicates)
