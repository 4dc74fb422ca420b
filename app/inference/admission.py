"""The limit on requests in flight: a request beyond it is refused with 429, and one past its deadline with 504.

A request is admitted before its body is read, and stays until its answer: app/api/request_bounds.py.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final

from app.errors import UNKNOWN_OUTCOME, DeadlineExceeded, Overloaded

# The limit of the request that runs, for whatever works on it.
_LIMIT: Final[ContextVar[asyncio.Timeout | None]] = ContextVar("limit", default=None)


def seconds_left() -> float:
    """Returns the time until the deadline of the request that runs; infinite outside of a request."""
    limit = _LIMIT.get()
    ends_at = None if limit is None else limit.when()
    return math.inf if ends_at is None else ends_at - asyncio.get_running_loop().time()


class Admission:
    """Counts the requests in flight. Used on the event loop only."""

    def __init__(
        self, capacity: int, deadline_s: float, on_in_flight: Callable[[int], None] = lambda requests: None
    ) -> None:
        """Admits `capacity` requests at once, each for `deadline_s` seconds. `on_in_flight` receives the number of
        admitted requests whenever it changes."""
        self._capacity, self._in_flight, self.deadline_s = capacity, 0, deadline_s
        self._on_in_flight = on_in_flight
        self._mean_s = 0.1  # moving average of the time from admission to the end of a request

    def overloaded(self) -> Overloaded:
        """Returns the error of a request that finds no room. The requests in flight are done by its `retry_after`."""
        return Overloaded(retry_after=max(round(self._mean_s), 1))

    @asynccontextmanager
    async def admit(self) -> AsyncIterator[asyncio.Timeout]:
        """Admits one request for the duration of the context, and yields its time limit, which may be moved.

        Raises Overloaded if there is no capacity. Raises DeadlineExceeded if the context takes longer than the
        deadline, and cancels what it awaits.
        """
        if self._in_flight >= self._capacity:
            raise self.overloaded()
        self._count(1)
        admitted_at = time.perf_counter()
        try:
            async with asyncio.timeout(self.deadline_s) as limit:
                token = _LIMIT.set(limit)
                try:
                    yield limit
                finally:
                    _LIMIT.reset(token)
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"The request took longer than {self.deadline_s:g} s and was cancelled. {UNKNOWN_OUTCOME} Try again "
                "when the service is less busy."
            ) from error
        finally:
            self._count(-1)
            self._mean_s += 0.1 * (time.perf_counter() - admitted_at - self._mean_s)

    def _count(self, change: int) -> None:
        self._in_flight += change
        self._on_in_flight(self._in_flight)
