"""What an answer says of the candidates that pass the threshold, and of the error rates at it."""

from app.gallery.base import Candidate
from app.verification.results import Decision, ErrorRates
from model.calibration import Calibration, OperatingPoint


def error_rates(point: OperatingPoint) -> ErrorRates:
    """The error rates measured at an operating point, as answers state them."""
    return ErrorRates(
        point.fmr,
        point.fnmr,
        point.false_matches,
        point.impostor_pairs,
        point.genuine_pairs,
        point.people,
        point.interval,
        point.fnmr_interval,
        point.fmr_worst_group,
        point.worst_group,
    )


def decide(passing: list[Candidate], calibration: Calibration) -> Decision:
    """Returns the decision for the candidates that pass the threshold, best first."""
    match passing:
        case []:
            return Decision.UNKNOWN
        case [best, second, *_] if best.similarity - second.similarity < calibration.ambiguity_margin:
            return Decision.AMBIGUOUS
        case _:
            return Decision.MATCH
