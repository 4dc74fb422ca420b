"""False match rates of groups of people, from one photo of each: every pair within a group is an impostor pair.

Pairs within a group are the hardest for it (ISO/IEC 19795-10, 'Quantifying biometric system performance variation
across demographic groups').
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MIN_PEOPLE: Final = 50  # of a group that is reported
MIN_MATCHES: Final = 5  # false matches of a group whose rate can be the worst


@dataclass(frozen=True)
class GroupScores:
    """The scores of every pair within each group, in rising order: {group: (pairs,)}, and the groups of adults."""

    scores: Mapping[str, NDArray[np.float32]]
    adults: frozenset[str]
    people: Mapping[str, int]

    def fmr_at(self, threshold: float) -> dict[str, float]:
        """The false match rate of each group."""
        return {name: float(_share_from(scores, threshold)) for name, scores in self.scores.items()}

    def worst_adults_at(self, threshold: float) -> tuple[str, float] | None:
        """The group of adults with the highest false match rate, and the rate.

        A group counts from MIN_MATCHES false matches on: with fewer, a person who is there twice would decide. None if
        no group counts.
        """
        rates = {
            name: rate
            for name, rate in self.fmr_at(threshold).items()
            if name in self.adults and round(rate * len(self.scores[name])) >= MIN_MATCHES
        }
        worst = max(rates, key=rates.__getitem__, default=None)
        return None if worst is None else (worst, rates[worst])

    def threshold_at(self, fmr: float) -> float:
        """The lowest threshold at which no group of adults has a higher false match rate."""
        highest = [
            scores[max(len(scores) - int(fmr * len(scores)) - 1, 0)]
            for name, scores in self.scores.items()
            if name in self.adults
        ]
        return float(np.nextafter(max(highest), np.float32(2)))


def compare_within_groups(vectors: NDArray[np.float32], groups: Sequence[str], adults: frozenset[str]) -> GroupScores:
    """Scores unit vectors (N, D), one of each person, within their groups (N,), but for groups below MIN_PEOPLE."""
    labels = np.array(groups)
    scores, people = {}, {}
    for name in sorted(set(groups)):
        members = vectors[labels == name]
        if len(members) >= MIN_PEOPLE:
            scores[name] = np.sort((members @ members.T)[np.triu_indices(len(members), 1)])
            people[name] = len(members)
    return GroupScores(scores, adults & frozenset(scores), people)


def _share_from(ascending: NDArray[np.float32], threshold: float) -> float:
    return 1 - np.searchsorted(ascending, np.float32(threshold), side="left") / len(ascending)
