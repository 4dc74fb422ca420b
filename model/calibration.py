"""Similarity -> decision and probability; thresholds chosen by the error rate they stand for."""

import math
from dataclasses import dataclass


class TargetUnsupported(Exception):
    """No threshold of this bundle is known to keep the error rate asked for."""

    code = "target_unsupported"


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what was measured at it, on people that the weights have never seen.

    `interval` holds the 95 % limits of `fmr`, from a bootstrap over people.
    """

    threshold: float  # cosine similarity, -1..1
    fmr: float  # false match rate: share of impostor pairs at or above the threshold
    fnmr: float  # false non-match rate: share of genuine pairs below it
    false_matches: int
    impostor_pairs: int
    genuine_pairs: int
    people: int
    interval: tuple[float, float]


@dataclass(frozen=True)
class LabelErrors:
    """Photos that show somebody else than their label says, and the rates at each operating point without them."""

    photos: tuple[str, ...]
    fmr: tuple[float, ...]
    fnmr: tuple[float, ...]


@dataclass(frozen=True)
class Identification:
    """How to decide a search: the point whose threshold applies, and the FPIR to expect of it."""

    point: OperatingPoint
    expected_fpir: float
    target_met: bool


@dataclass(frozen=True)
class Calibration:
    """What turns a similarity into an answer. Points are ordered from lax to strict, thresholds rising.

    `slope` and `intercept` are Platt's: the log odds of 'same person' at equal prior odds are
    slope * similarity + intercept.
    """

    slope: float
    intercept: float
    points: tuple[OperatingPoint, ...]
    default_fmr: float
    ambiguity_margin: float  # two identities this close in similarity cannot be told apart
    data: str  # which people and photos
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
        """The point of the lowest false match rate that the calibration's pairs support."""
        return self.points[-1]

    def probability(self, similarity: float) -> float:
        """Of 'same person', 0..1, where same and different were equally likely beforehand (Platt 1999)."""
        logit = self.slope * similarity + self.intercept
        return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1.0 + math.exp(logit))

    def at_fmr(self, target: float | None = None) -> OperatingPoint:
        """The laxest point whose measured FMR is at most `target` (default: `default_fmr`).

        Raises TargetUnsupported where even the strictest lies above it.
        """
        target = self.default_fmr if target is None else target
        point = self._at_most(target)
        if point is None:
            raise TargetUnsupported(
                f"A false match rate of {target:g} is not supported by this bundle: too few pairs stand behind it. "
                f"The lowest supported is {self.strictest.fmr:.3g}."
            )
        return point

    def at_fpir(self, gallery_size: int, target: float, *, explicit: bool) -> Identification:
        """The threshold for a search among `gallery_size` templates: FPIR = 1 - (1 - FMR)^N, taking the N comparisons
        as independent (Grother et al., 'Face Recognition Vendor Test part 2: identification').

        Where the target is out of reach: TargetUnsupported if it was asked for explicitly, else the strictest point
        with `target_met` false.
        """
        size = max(gallery_size, 1)
        needed = -math.expm1(math.log1p(-target) / size)
        point = self._at_most(needed)
        if point is not None:
            return Identification(point, fpir(point.fmr, size), target_met=True)
        best = fpir(self.strictest.fmr, size)
        if explicit:
            raise TargetUnsupported(
                f"A false positive identification rate of {target:g} among {size} templates is not supported by this "
                f"bundle. The lowest attainable is {best:.3g}."
            )
        return Identification(self.strictest, best, target_met=False)

    def _at_most(self, fmr: float) -> OperatingPoint | None:
        return next((point for point in self.points if point.fmr <= fmr), None)


def fpir(fmr: float, gallery_size: int) -> float:
    """The chance that a stranger passes the threshold against any of `gallery_size` templates, if independent."""
    return -math.expm1(gallery_size * math.log1p(-fmr)) if fmr < 1 else 1.0


def distance(similarity: float) -> float:
    """The Euclidean distance, 0..2, of two unit vectors with this cosine: what the contrastive loss trains."""
    return math.sqrt(max(2.0 - 2.0 * similarity, 0.0))
