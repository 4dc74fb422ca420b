"""How many requests a caller may send in a time. Each process counts for itself.

Without keys, a caller is an address. Anybody can have many of them, so what is kept of a caller is small, and only of
those seen last. The storage in memory of the library `limits` keeps all, and looks at each of them 100 times a second.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from limits import RateLimitItem
from starlette.types import ASGIApp, Receive, Scope, Send

from app.addresses import UNKNOWN_CLIENT, client_block
from app.api.paths import is_counted, route_path
from app.callers import ANONYMOUS
from app.errors import RateLimited

MAX_CALLERS: Final = 50_000  # some 300 bytes each
MOMENT_S: Final = 0.001


@dataclass(slots=True)
class _Window:
    """Requests of a caller in the window of time `number`, and in the one before."""

    number: int = 0
    count: int = 0
    before: int = 0

    def move_to(self, number: int) -> None:
        if number != self.number:
            self.before = self.count if number == self.number + 1 else 0
            self.number, self.count = number, 0


class RateLimits:
    """Counts requests by caller, in windows that slide with time: the window before counts by the share of it that the
    sliding window still covers."""

    def __init__(
        self,
        limits: Sequence[RateLimitItem],
        max_callers: int = MAX_CALLERS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Remembers the `max_callers` that were seen last. `clock` returns seconds."""
        self._limits, self._max_callers, self._clock = tuple(limits), max_callers, clock
        self._callers: OrderedDict[str, tuple[_Window, ...]] = OrderedDict()

    def __len__(self) -> int:
        """The number of callers that are remembered."""
        return len(self._callers)

    def count(self, caller: str) -> None:
        """Counts one request. Raises RateLimited if the caller has reached a limit; the request is then not counted."""
        windows = self._recall(caller)
        now = self._clock()
        for limit, window in zip(self._limits, windows, strict=True):
            wait_s = _seconds_to_wait(window, now, limit.amount, limit.get_expiry())
            if wait_s > 0:
                raise RateLimited(max(math.ceil(wait_s), 1), str(limit))
        for window in windows:
            window.count += 1

    def _recall(self, caller: str) -> tuple[_Window, ...]:
        windows = self._callers.get(caller)
        if windows is None:
            windows = self._callers[caller] = tuple(_Window() for _ in self._limits)
            if len(self._callers) > self._max_callers:
                self._callers.popitem(last=False)
        else:
            self._callers.move_to_end(caller)
        return windows


def _seconds_to_wait(window: _Window, now: float, amount: int, period_s: int) -> float:
    """Returns the seconds until the caller may send a request; 0 if now."""
    number, elapsed_s = divmod(now, period_s)
    window.move_to(int(number))
    left = 1 - elapsed_s / period_s  # the share of the window before
    room = amount - window.count
    if room <= 0:
        return period_s - elapsed_s + MOMENT_S  # then this window is the one before, and loses requests
    if window.before * left < room:
        return 0
    return (left - room / window.before) * period_s + MOMENT_S


class RateLimitMiddleware:
    """Refuses a caller's requests beyond its limits, before anything reads them. Raises RateLimited.

    Without keys, callers are told apart by their addresses.
    """

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_counted(route_path(scope)):
            caller = scope["state"]["caller"]
            self.limits.count(_client(scope) if caller == ANONYMOUS else caller.name)
        await self.app(scope, receive, send)


def _client(scope: Scope) -> str:
    """The client's address. uvicorn takes it from `X-Forwarded-For` if a trusted proxy sent the request."""
    client = scope.get("client")
    return client_block(client[0]) if client else UNKNOWN_CLIENT
