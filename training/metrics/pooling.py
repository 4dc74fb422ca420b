"""Error rates over several sets of people, each of which counts alike, however many pairs it has."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics.bootstrap import fmr_replicates, fnmr_replicates
from training.metrics.verification import PairScores

MAX_COUNTED: int = 100_000  # false matches of a set among which pairs of people are counted
MIN_EXPECTED: int = 10  # false matches of a set that enters a rate
MIN_EXPECTED_ONE_PHOTO: int = 300  # the same where everybody has one photo
Interval = tuple[float, float]


@dataclass(frozen=True)
class PooledPairs:
    """The pairs of each set. Rates are means over the sets; only sets with genuine pairs enter the FNMR."""

    sets: Sequence[PairScores]

    @property
    def with_genuine(self) -> list[PairScores]:
        """The sets in which somebody has two photos with a face."""
        return [pairs for pairs in self.sets if pairs.genuine_histogram.any()]

    def supporting(self, fmr: float) -> "PooledPairs":
        """Only the sets in which this rate means at least MIN_EXPECTED false matches.

        In a smaller set, one wrong label would decide. Where everybody has one photo, it takes MIN_EXPECTED_ONE_PHOTO,
        since nobody noticed who is there twice.
        """
        return PooledPairs(
            [
                pairs
                for pairs in self.sets
                if fmr * pairs.impostor_pairs >= (MIN_EXPECTED if pairs.photos.max() > 1 else MIN_EXPECTED_ONE_PHOTO)
            ]
        )

    @property
    def people(self) -> int:
        return sum(pairs.people for pairs in self.sets)

    @property
    def genuine_pairs(self) -> int:
        return sum(len(pairs.genuine) for pairs in self.sets)

    @property
    def impostor_pairs(self) -> int:
        return sum(pairs.impostor_pairs for pairs in self.sets)

    def fmr_at(self, threshold: float) -> float:
        """The mean of the sets' false match rates."""
        return float(np.mean([pairs.fmr_at(threshold) for pairs in self.sets]))

    def fnmr_at(self, threshold: float) -> float:
        """The mean of the sets' false non-match rates."""
        return float(np.mean([(pairs.genuine < threshold).mean() for pairs in self.with_genuine]))

    def false_matches_at(self, threshold: float) -> int:
        """Of all sets together."""
        return sum(int((pairs.impostor >= threshold).sum()) for pairs in self.sets)

    def pairs_of_people_at(self, threshold: float) -> int:
        """The number of distinct pairs of people with a false match, of those with the highest scores of each set."""
        counts = [min(int((pairs.impostor >= threshold).sum()), MAX_COUNTED) for pairs in self.sets]
        return sum(
            len(np.unique(pairs.impostor_people[:count], axis=0))
            for pairs, count in zip(self.sets, counts, strict=True)
        )

    def threshold_at(self, fmr: float) -> float | None:
        """The lowest threshold, to the width of a float32, at which the FMR is at most `fmr`.

        None if a set kept too few impostor scores for it.
        """
        kept = max((float(pairs.impostor[-1]) if len(pairs.impostor) else -1.0) for pairs in self.sets)
        low, high = np.float32(kept), np.float32(1)
        if self.fmr_at(float(low)) <= fmr:
            return None
        while np.nextafter(low, np.float32(2)) < high:
            middle = np.float32((low + high) / 2)
            if self.fmr_at(float(middle)) <= fmr:
                high = middle
            else:
                low = middle
        return float(high)

    def fmr_intervals(self, thresholds: Sequence[float]) -> list[Interval]:
        """95 % intervals of the FMR at fixed thresholds, by bootstrap over the people of each set."""
        return _limits(np.mean([fmr_replicates(pairs, thresholds) for pairs in self.sets], axis=0))

    def fnmr_intervals(self, thresholds: Sequence[float]) -> list[Interval]:
        """95 % intervals of the FNMR at fixed thresholds."""
        replicates = [fnmr_replicates(pairs, thresholds) for pairs in self.with_genuine]
        shortest = min(map(len, replicates))  # a replicate is missing where nobody with two photos was drawn
        return _limits(np.mean([each[:shortest] for each in replicates], axis=0))

    @property
    def densities(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The mean histograms of genuine and of impostor scores, (BINS,) each with the sum 1."""
        genuine = [pairs.genuine_histogram / pairs.genuine_histogram.sum() for pairs in self.with_genuine]
        impostor = [pairs.impostor_histogram / pairs.impostor_histogram.sum() for pairs in self.sets]
        return np.mean(genuine, axis=0), np.mean(impostor, axis=0)


def _limits(replicates: NDArray[np.float64]) -> list[Interval]:
    low, high = np.quantile(replicates, [0.025, 0.975], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
