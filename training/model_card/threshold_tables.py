"""Tables of thresholds for the documents, computed from a bundle's calibration by the service's own rules."""

from dataclasses import dataclass
from typing import Final

from model.calibration import Calibration, OperatingPoint
from training.model_card.markdown import draw_table

TARGET_FPIR: Final = 0.01  # the service's default
SIZES: Final = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
README_SIZES: Final = (1, 100, 1_000, 10_000, 1_000_000)


@dataclass(frozen=True)
class Use:
    """What somebody wants to do, and the request that fits it: a comparison of two faces, or a search among `size`."""

    purpose: str
    target: float  # FMR of a comparison, FPIR of a search
    size: int | None = None  # templates; None: a comparison


USES: Final = (
    Use("sort your own photos; a mistake costs a click", 1e-3),
    Use("log in, together with a password or a card", 1e-4),
    Use("log in with the face alone", 1e-5),
    Use("a door that 100 people may pass", 0.01, 100),
    Use("a door that 1,000 people may pass", 0.01, 1_000),
    Use("find out whether a new customer is enrolled already, among 1,000; a person checks", 0.1, 1_000),
    Use("the same among 10,000; a person checks", 0.1, 10_000),
)


def describe_uses(calibration: Calibration) -> str:
    """A row for each of USES: the option to send, the threshold that then holds, and both error rates."""
    rows = []
    for use in USES:
        if use.size is None:
            point, wrong = calibration.at_fmr(use.target), "of strangers' attempts"
            option, share, met = f"`/verify`, `target_fmr={_decimal(use.target)}`", point.fmr, True
        else:
            rule = calibration.at_fpir(use.size, use.target, explicit=False)
            point, share, met, wrong = rule.point, rule.expected_fpir, rule.target_met, "of strangers' searches"
            option = f"`/identify`, `target_fpir={_decimal(use.target)}`"
        accepted = f"1 in {_two_digits(1 / share):,} {wrong}" + ("" if met else " (the target cannot be kept)")
        rows.append([use.purpose, option, f"{point.threshold:.3f}", accepted, _missed(point)])
    head = ["you want to", "send", "threshold", "wrong person accepted", "right person missed"]
    return draw_table(head, rows)


def describe_sizes(calibration: Calibration) -> str:
    """A row for each of SIZES: the threshold of a search among so many templates, and what to expect of it."""
    rows = []
    for size in SIZES:
        rule = calibration.at_fpir(size, TARGET_FPIR, explicit=False)
        point = rule.point
        expected, met = _percent(rule.expected_fpir), str(rule.target_met).lower()
        rows.append([f"{size:,}", f"{point.threshold:.3f}", f"{point.fmr:.1e}", expected, _missed(point), met])
    head = [
        "templates",
        "threshold",
        "its FMR",
        "strangers taken for somebody: `expected_fpir`",
        "enrolled people missed: FNMR",
        "`target_met`",
    ]
    return draw_table(head, rows)


def describe_readme_sizes(calibration: Calibration) -> str:
    """The same in short: what the size of a gallery means for the enrolled and for strangers."""
    rows = []
    for size in README_SIZES:
        rule = calibration.at_fpir(size, TARGET_FPIR, explicit=False)
        strangers = _percent(rule.expected_fpir) + ("" if rule.target_met else " (target not met)")
        rows.append([f"{size:,}", _missed(rule.point), strangers])
    head = ["people enrolled, one photo each", "enrolled people missed", "strangers taken for somebody"]
    return draw_table(head, rows)


def _missed(point: OperatingPoint) -> str:
    return _percent(point.fnmr)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _two_digits(number: float) -> int:
    """The nearest number with at most two digits that are not zero."""
    return round(float(f"{number:.2g}"))


def _decimal(rate: float) -> str:
    return f"{rate:.6f}".rstrip("0")
