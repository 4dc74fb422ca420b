"""Error rates of presentation attack detection (ISO/IEC 30107-3) with intervals: pure functions on scores.

APCER: the share of attack presentations that are taken for live, for one kind of attack instrument. BPCER: the share of
bona fide presentations that are taken for attacks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Z: Final = 1.959964  # of a two-sided 95 % interval


@dataclass(frozen=True)
class ErrorRate:
    """A share of presentations that were classified wrongly, with its 95 % interval."""

    errors: int
    presentations: int
    people: int
    interval: tuple[float, float]

    @property
    def value(self) -> float:
        return self.errors / self.presentations


def estimate_rate(wrong: Sequence[bool] | NDArray[np.bool_], people: Sequence[str]) -> ErrorRate:
    """The error rate of presentations (P,) of these people (P,), each named once for each of its presentations.

    The interval is Wilson's with the effective number of presentations (Korn and Graubard 1998): presentations of one
    person resemble each other, so 500 frames of one person count for less than 500 people. The number lies between
    those of people and presentations; it is that of people where all errors or none were made, since the resemblance
    cannot be seen there. Raises ValueError without presentations.
    """
    errors = np.asarray(wrong, np.bool_)
    if len(errors) != len(people) or not len(errors):
        raise ValueError("each presentation needs one person, and there must be one")
    _, rows = np.unique(np.asarray(people), return_inverse=True)
    count = int(rows.max()) + 1
    effective = _effective_presentations(errors, rows, count)
    return ErrorRate(int(errors.sum()), len(errors), count, wilson_interval(float(errors.mean()), effective))


def wilson_interval(share: float, presentations: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share that was seen in so many independent presentations."""
    squared = Z**2 / presentations
    centre = (share + squared / 2) / (1 + squared)
    reach = Z * math.sqrt(share * (1 - share) / presentations + squared / (4 * presentations)) / (1 + squared)
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def choose_threshold(bona_fide: Sequence[NDArray[np.floating]], target_bpcer: float) -> float:
    """The highest threshold of the scores at which the mean BPCER of these sets does not exceed the target.

    Each set counts alike, however many presentations it has. A score from the threshold on is taken for live. Raises
    ValueError if a set is empty.
    """
    if not bona_fide or not all(len(scores) for scores in bona_fide):
        raise ValueError("every set needs bona fide presentations")
    candidates = np.unique(np.concatenate(bona_fide))
    bpcer = np.mean(
        [np.searchsorted(np.sort(scores), candidates, side="left") / len(scores) for scores in bona_fide], 0
    )
    return float(candidates[np.flatnonzero(bpcer <= target_bpcer)[-1]])  # the lowest candidate refuses nobody


def _effective_presentations(errors: NDArray[np.bool_], rows: NDArray[np.intp], people: int) -> float:
    share, total = float(errors.mean()), len(errors)
    if people < 2 or share in (0.0, 1.0):
        return people
    # The variance of a ratio of sums over people, by linearization.
    residuals = np.bincount(rows, weights=errors - share, minlength=people)
    variance = people / (people - 1) * float((residuals**2).sum()) / total**2
    if variance <= 0:
        return total
    return float(np.clip(share * (1 - share) / variance, people, total))
