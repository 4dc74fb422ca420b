"""How many requests a caller may send in a time. Each process counts for itself."""

import math
import time
from collections.abc import Sequence
from typing import Final

from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.paths import is_counted, route_path
from app.errors import RateLimited

REQUESTS: Final = "requests"


class RateLimits:
    """Counts requests by caller, in windows that slide with time."""

    def __init__(self, limits: Sequence[RateLimitItem]) -> None:
        self._limits = tuple(limits)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, caller: str) -> None:
        """Counts one request. Raises RateLimited if the caller has reached a limit; the request is then not counted."""
        for limit in self._limits:
            if not self._limiter.test(limit, REQUESTS, caller):
                reset = self._limiter.get_window_stats(limit, REQUESTS, caller).reset_time
                raise RateLimited(max(math.ceil(reset - time.time()), 1), str(limit))
        for limit in self._limits:
            self._limiter.hit(limit, REQUESTS, caller)


class RateLimitMiddleware:
    """Refuses a caller's requests beyond its limits, before anything reads them. Raises RateLimited."""

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_counted(route_path(scope)):
            self.limits.count(scope["state"]["caller"])
        await self.app(scope, receive, send)
