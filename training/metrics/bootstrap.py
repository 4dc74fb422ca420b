"""Bootstrap over people: how far a rate would move if other people had been photographed.

People, not pairs, are drawn again: the pairs of one person are far from independent (Bolle, Ratha, Pankanti 2004,
'An evaluation of error confidence interval estimation methods').
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics.verification import AllPairs

REPLICATES = 200


@dataclass(frozen=True)
class Estimate:
    """A rate with its standard error and 95 % limits."""

    value: float
    standard_error: float
    interval: tuple[float, float]


def summarise(value: float, replicates: NDArray[np.float64]) -> Estimate:
    low, high = np.quantile(replicates, [0.025, 0.975])
    return Estimate(value, float(replicates.std(ddof=1)), (float(low), float(high)))


def draws(people: int, replicates: int = REPLICATES, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """How often each person is drawn, (P,), replicate by replicate; the same for the same seed, so that two encoders
    compared on the same people can be paired."""
    rng = np.random.default_rng(seed)
    for _ in range(replicates):
        yield np.bincount(rng.integers(0, people, people), minlength=people)


def impostor_weight(pairs: AllPairs, drawn: NDArray[np.int64]) -> float:
    """Impostor pairs in a replicate: those of distinct people, each as often as both were drawn."""
    weighted = drawn * pairs.photos
    return float((weighted.sum() ** 2 - (weighted**2).sum()) / 2)


def tar_replicates(pairs: AllPairs, fmrs: Sequence[float]) -> NDArray[np.float64]:
    """TAR at each FMR, (replicates, len(fmrs)), the threshold set anew in each replicate."""
    rates = []
    first, second = pairs.impostor_people.T
    for drawn in draws(pairs.people):
        accepted = np.cumsum(drawn[first] * drawn[second])
        weight = drawn[pairs.genuine_people]
        total = impostor_weight(pairs, drawn)
        cuts = [min(int(np.searchsorted(accepted, fmr * total, side="right")), len(accepted) - 1) for fmr in fmrs]
        rates.append([float(weight @ (pairs.genuine > pairs.impostor[cut])) / weight.sum() for cut in cuts])
    return np.array(rates)


def tar_estimates(pairs: AllPairs, fmrs: Sequence[float]) -> list[Estimate]:
    """TAR at each FMR with its error."""
    replicates = tar_replicates(pairs, fmrs)
    return [summarise(pairs.tar_at(fmr), replicates[:, i]) for i, fmr in enumerate(fmrs)]


def fmr_intervals(pairs: AllPairs, thresholds: Sequence[float]) -> list[tuple[float, float]]:
    """95 % limits of the FMR at fixed thresholds."""
    first, second = pairs.impostor_people.T
    counts = [int(np.searchsorted(-pairs.impostor, -threshold, side="right")) for threshold in thresholds]
    rates = []
    for drawn in draws(pairs.people):
        accepted = np.concatenate([[0], np.cumsum(drawn[first] * drawn[second])])
        rates.append(accepted[counts] / impostor_weight(pairs, drawn))
    low, high = np.quantile(np.array(rates), [0.025, 0.975], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
