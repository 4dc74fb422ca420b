"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`warning`: the service runs, but perhaps not as it should. `wrong`: it does not run."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One line of the report. `mend` says what to do about it; it is empty if nothing is wrong."""

    subject: str
    state: State
    message: str
    mend: str = ""


def ok(subject: str, message: str) -> Finding:
    return Finding(subject, State.OK, message)


def warning(subject: str, message: str, mend: str) -> Finding:
    return Finding(subject, State.WARNING, message, mend)


def wrong(subject: str, message: str, mend: str) -> Finding:
    return Finding(subject, State.WRONG, message, mend)
