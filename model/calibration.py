"""Decisions and probabilities from similarities, with thresholds chosen by their error rates."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

# No group of adults may have more than this many times the false match rate that is asked for ...
WORST_GROUP_FACTOR: Final = 10.0
# ... but a group is not held to less than this: its few pairs, some of people who are there twice, cannot show it.
LOWEST_GROUP_FMR: Final = 1e-3


class TargetUnsupported(Exception):
    """No threshold of this bundle was measured to keep the requested error rate."""

    code = "target_unsupported"


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and the error rates measured at it, on people that were not used for training."""

    threshold: float  # cosine similarity, -1..1
    fmr: float  # false match rate: share of impostor pairs at or above the threshold; the mean over the sets of people
    fnmr: float  # false non-match rate: share of genuine pairs below the threshold
    false_matches: int
    impostor_pairs: int
    genuine_pairs: int
    people: int
    interval: tuple[float, float]  # 95 % limits of `fmr`, from a bootstrap over people
    fnmr_interval: tuple[float, float]  # those of `fnmr`
    fmr_worst_group: float | None = None  # the highest among groups of adults by sex and age; None without groups
    worst_group: str | None = None  # in words, such as "women 60 and older"

    def keeps(self, fmr: float) -> bool:
        """Whether the rate is at most `fmr`, and that of every group of adults at most WORST_GROUP_FACTOR times it (or
        LOWEST_GROUP_FMR, if that is more)."""
        return self.fmr <= fmr and (self.fmr_worst_group or 0.0) <= max(WORST_GROUP_FACTOR * fmr, LOWEST_GROUP_FMR)

    @property
    def lowest_kept(self) -> float:
        """The lowest rate that the point keeps, but for rounding."""
        worst = self.fmr_worst_group or 0.0
        return max(self.fmr, worst / WORST_GROUP_FACTOR if worst > LOWEST_GROUP_FMR else 0.0)


@dataclass(frozen=True)
class LabelErrors:
    """Photos with a wrong label, and the error rates without them, one for each operating point."""

    photos: tuple[str, ...]
    fmr: tuple[float, ...]
    fnmr: tuple[float, ...]


@dataclass(frozen=True)
class Recognizability:
    """What to do with faces that the encoder can hardly recognise, by the recognizability that it gives, 0..1.

    `refused_below`: such a face is refused. `doubtful_below`: below it, thresholds rise by `raised_by` (cosine).
    `usable_refused`: share of usable calibration photos below the first floor.
    """

    refused_below: float
    doubtful_below: float
    raised_by: float
    usable_refused: float

    def raise_for(self, recognizability: float) -> float:
        """By how much the threshold of a comparison with this face rises."""
        return self.raised_by if recognizability < self.doubtful_below else 0.0


@dataclass(frozen=True)
class SearchThreshold:
    """The operating point that decides a search, and the false positive identification rate to expect."""

    point: OperatingPoint
    expected_fpir: float
    target_met: bool


@dataclass(frozen=True)
class Calibration:
    """Maps similarities to decisions and probabilities.

    `points` are ordered by rising threshold. `curve` holds pairs of similarity and log odds of 'same person' at equal
    prior odds, both rising; between them, log odds are linear, and outside they are constant. Raises ValueError if
    there is no point or no curve, or if an order is wrong.
    """

    curve: tuple[tuple[float, float], ...]
    points: tuple[OperatingPoint, ...]
    default_fmr: float
    ambiguity_margin: float  # a search is ambiguous if its two best identities differ by less in similarity
    data: str  # the people and photos that were compared
    command: str
    label_errors: LabelErrors | None = None
    recognizability: Recognizability | None = None  # None if the encoder does not give it

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("a calibration needs at least one operating point")
        thresholds = [point.threshold for point in self.points]
        if thresholds != sorted(thresholds):
            raise ValueError("operating points must be ordered by rising threshold")
        similarities, odds = [each[0] for each in self.curve], [each[1] for each in self.curve]
        if not self.curve or similarities != sorted(set(similarities)) or odds != sorted(odds):
            raise ValueError("the curve of log odds must rise")

    @property
    def strictest(self) -> OperatingPoint:
        """The point with the lowest false match rate that the calibration pairs support."""
        return self.points[-1]

    def probability(self, similarity: float) -> float:
        """Returns the probability of 'same person', 0..1, at equal prior odds."""
        return 1.0 / (1.0 + math.exp(-self.log_odds(similarity)))

    @property
    def even_odds(self) -> float:
        """The similarity at which both answers are equally likely, at equal prior odds."""
        for (low, odds), (high, higher) in pairwise(self.curve):
            if odds <= 0 < higher:
                return low + (high - low) * -odds / (higher - odds)
        return self.curve[0][0] if self.curve[0][1] > 0 else self.curve[-1][0]

    def log_odds(self, similarity: float) -> float:
        """Returns the log odds of 'same person' (natural logarithm) at equal prior odds."""
        place = bisect_right(self.curve, (similarity, math.inf))
        if place in (0, len(self.curve)):
            return self.curve[max(place - 1, 0)][1]
        (low, odds), (high, higher) = self.curve[place - 1], self.curve[place]
        return odds + (higher - odds) * (similarity - low) / (high - low)

    def at_fmr(self, target: float | None = None) -> OperatingPoint:
        """Returns the point with the lowest threshold that keeps the FMR `target` (default: `default_fmr`), see
        `OperatingPoint.keeps`.

        Raises TargetUnsupported if no point does.
        """
        target = self.default_fmr if target is None else target
        point = self._at_most(target)
        if point is None:
            raise TargetUnsupported(
                f"This bundle does not support a false match rate of {target:g}: it was calibrated on too few pairs. "
                f"The lowest supported is {self.strictest.fmr:.3g}."
            )
        return point

    def at_fpir(self, gallery_size: int, target: float, *, explicit: bool) -> SearchThreshold:
        """Returns the threshold for a search among `gallery_size` templates that keeps the FPIR at most `target`.

        FPIR = 1 - (1 - FMR)^N, assuming that the N comparisons are independent (Grother et al., 'Face Recognition
        Vendor Test part 2: identification'). If no point keeps the target, raises TargetUnsupported for an `explicit`
        target, and otherwise returns the strictest point with `target_met` false.
        """
        size = max(gallery_size, 1)
        max_fmr = -math.expm1(math.log1p(-target) / size)
        point = self._at_most(max_fmr)
        if point is not None:
            return SearchThreshold(point, expected_fpir(point.fmr, size), target_met=True)
        lowest = expected_fpir(self.strictest.fmr, size)
        if explicit:
            raise TargetUnsupported(
                f"This bundle does not support a rate of {target:g} of false matches among {size} templates. "
                f"The lowest supported is {lowest:.3g}."
            )
        return SearchThreshold(self.strictest, lowest, target_met=False)

    def largest_gallery(self, target: float) -> int | None:
        """Returns with how many templates a search keeps the FPIR at most `target`; None if with any number.

        0 if not even with one.
        """
        lowest = min(point.lowest_kept for point in self.points)
        if lowest == 0.0:
            return None
        size = int(math.log1p(-target) / math.log1p(-lowest))
        # The division may round to the other side of a whole number.
        return max((each for each in (size - 1, size, size + 1) if each > 0 and self._keeps(each, target)), default=0)

    def _keeps(self, gallery_size: int, target: float) -> bool:
        return self.at_fpir(gallery_size, target, explicit=False).target_met

    def _at_most(self, fmr: float) -> OperatingPoint | None:
        return next((point for point in self.points if point.keeps(fmr)), None)


def expected_fpir(fmr: float, gallery_size: int) -> float:
    """Returns the probability that a probe of a person who is not enrolled matches any of `gallery_size` templates,
    assuming independent comparisons: 1 - (1 - fmr)^gallery_size."""
    return -math.expm1(gallery_size * math.log1p(-fmr)) if fmr < 1 else 1.0


def euclidean_distance(similarity: float) -> float:
    """Returns the Euclidean distance, 0..2, of two unit vectors with this cosine similarity."""
    return math.sqrt(max(2.0 - 2.0 * similarity, 0.0))
