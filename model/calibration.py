"""Decisions and probabilities from similarities, with thresholds chosen by their error rates."""

import math
from dataclasses import dataclass


class TargetUnsupported(Exception):
    """No threshold of this bundle was measured to keep the requested error rate."""

    code = "target_unsupported"


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and the error rates measured at it, on people that were not used for training."""

    threshold: float  # cosine similarity, -1..1
    fmr: float  # false match rate: share of impostor pairs at or above the threshold
    fnmr: float  # false non-match rate: share of genuine pairs below the threshold
    false_matches: int
    impostor_pairs: int
    genuine_pairs: int
    people: int
    interval: tuple[float, float]  # 95 % limits of `fmr`, from a bootstrap over people
    fnmr_interval: tuple[float, float] | None = None  # those of `fnmr`; None in bundles that did not measure them


@dataclass(frozen=True)
class LabelErrors:
    """Photos with a wrong label, and the error rates without them, one for each operating point."""

    photos: tuple[str, ...]
    fmr: tuple[float, ...]
    fnmr: tuple[float, ...]


@dataclass(frozen=True)
class SearchThreshold:
    """The operating point that decides a search, and the false positive identification rate to expect."""

    point: OperatingPoint
    expected_fpir: float
    target_met: bool


@dataclass(frozen=True)
class Calibration:
    """Maps similarities to decisions and probabilities.

    `points` are ordered by rising threshold. `slope` and `intercept` are Platt's parameters: at equal prior odds, the
    log odds of 'same person' are slope * similarity + intercept. Raises ValueError if there is no point or the order is
    wrong.
    """

    slope: float
    intercept: float
    points: tuple[OperatingPoint, ...]
    default_fmr: float
    ambiguity_margin: float  # a search is ambiguous if its two best identities differ by less in similarity
    data: str  # the people and photos that were compared
    command: str
    label_errors: LabelErrors | None = None

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("a calibration needs at least one operating point")
        thresholds = [point.threshold for point in self.points]
        if thresholds != sorted(thresholds):
            raise ValueError("operating points must be ordered by rising threshold")

    @property
    def strictest(self) -> OperatingPoint:
        """The point with the lowest false match rate that the calibration pairs support."""
        return self.points[-1]

    def probability(self, similarity: float) -> float:
        """Returns the probability of 'same person', 0..1, at equal prior odds (Platt 1999)."""
        logit = self.slope * similarity + self.intercept
        return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1.0 + math.exp(logit))

    def at_fmr(self, target: float | None = None) -> OperatingPoint:
        """Returns the point with the lowest threshold whose FMR is at most `target` (default: `default_fmr`).

        Raises TargetUnsupported if the FMR of every point is higher.
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
                f"This bundle does not support a false positive identification rate of {target:g} among {size} "
                f"templates. The lowest supported is {lowest:.3g}."
            )
        return SearchThreshold(self.strictest, lowest, target_met=False)

    def _at_most(self, fmr: float) -> OperatingPoint | None:
        return next((point for point in self.points if point.fmr <= fmr), None)


def expected_fpir(fmr: float, gallery_size: int) -> float:
    """Returns the probability that a probe of a person who is not enrolled matches any of `gallery_size` templates,
    assuming independent comparisons: 1 - (1 - fmr)^gallery_size."""
    return -math.expm1(gallery_size * math.log1p(-fmr)) if fmr < 1 else 1.0


def euclidean_distance(similarity: float) -> float:
    """Returns the Euclidean distance, 0..2, of two unit vectors with this cosine similarity."""
    return math.sqrt(max(2.0 - 2.0 * similarity, 0.0))
