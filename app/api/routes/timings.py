"""How long the stages of a request took, for the metrics and the Server-Timing header."""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from fastapi import Request


class Timed(Protocol):
    """An answer with the milliseconds of each stage."""

    @property
    def timings_ms(self) -> Mapping[str, float]: ...


Result = TypeVar("Result", bound=Timed)


def with_timings(request: Request, result: Result) -> Result:
    """Hands the timings to RequestLogMiddleware and returns the result."""
    request.state.timings_ms = result.timings_ms
    return result
