"""What follows from a face that the encoder can hardly recognise: a refusal, a higher threshold, or a notice."""

from collections.abc import Sequence

from app.verification.notices import Notice, NoticeCode
from model.calibration import Recognizability
from model.errors import UnrecognizableFace


def is_recognizable(rule: Recognizability | None, value: float | None) -> bool:
    """Whether a face is above the floor. It is if the bundle has no floor."""
    return rule is None or value is None or value >= rule.refused_below


def require_recognizable(rule: Recognizability | None, value: float | None, field: str) -> None:
    """Raises UnrecognizableFace for a face below the floor. `field` is the photo's field in the request."""
    if rule is not None and value is not None and not is_recognizable(rule, value):
        error = UnrecognizableFace(
            f"The face cannot be recognised reliably: its recognizability is {value:.2f}, below "
            f"{rule.refused_below:.2f}. It may be covered, blurred, too dark or cut off. Take another photo."
        )
        error.field = field
        raise error


def raise_threshold(threshold: float, rule: Recognizability | None, values: Sequence[float | None]) -> float:
    """The threshold for a comparison of faces with these recognizabilities: higher if one of them is doubtful."""
    if rule is None:
        return threshold
    return min(threshold + max((rule.raise_for(value) for value in values if value is not None), default=0.0), 1.0)


def doubt_notices(rule: Recognizability | None, values: Sequence[float | None]) -> tuple[Notice, ...]:
    """Warns that a face is hard to recognise, or that it cannot be recognised at all."""
    known = [value for value in values if value is not None]
    if rule is None or not known or min(known) >= rule.doubtful_below:
        return ()
    if min(known) < rule.refused_below:
        message = (
            f"The face cannot be recognised reliably: its recognizability is {min(known):.2f}, below "
            f"{rule.refused_below:.2f}. So nobody is named. Take another photo."
        )
        return (Notice(NoticeCode.UNRECOGNIZABLE_FACE, message),)
    message = (
        f"The face is hard to recognise (recognizability {min(known):.2f}). Photos like it match strangers more often, "
        f"so the threshold is higher by {rule.raised_by:.3f}. A better photo matches more reliably."
    )
    return (Notice(NoticeCode.HARD_TO_RECOGNIZE, message),)
