"""The bounds of a request, whatever its route: bytes of its body, seconds until its answer, requests at once.

They hold before any route, dependency or parser sees the request. A slow body takes a place like any other request.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.paths import has_body, is_counted, route_path
from app.body_limits import BodyLimits
from app.errors import DeadlineExceeded, RequestTimeout
from app.inference.admission import Admission


class RequestBoundsMiddleware:
    """Admits a request, ends it at its deadline, and refuses a body that is too large without reading the rest.

    Raises ImageTooLarge, RequestTooLarge, Overloaded, RequestTimeout (the body did not arrive within `upload_s`) and
    DeadlineExceeded (it had arrived, but the answer took longer than the admission's deadline), even if the application
    hides its own error. So the client's line takes nothing from the time for the work.
    """

    def __init__(self, app: ASGIApp, admission: Admission, limits: BodyLimits, upload_s: float) -> None:
        self.app, self.admission, self.limits, self.upload_s = app, admission, limits, upload_s
        self._held = 0  # bytes of the bodies of the requests that run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = route_path(scope)
        limit = self.limits.largest(path)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > limit and _is_route(scope):
            raise self.limits.refusal(path)
        exchange = _Exchange(complete=not has_body(scope))
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def receive_bounded() -> Message:
            if not exchange.complete and not exchange.reading:
                exchange.reading = True
                exchange.end_at(began + self.upload_s)
            message = await receive()
            if not exchange.complete and not message.get("more_body", False):
                exchange.complete = True
                exchange.end_at(loop.time() + self.admission.deadline_s)
            taken = len(message.get("body", b""))
            exchange.received += taken
            self._held += taken
            if exchange.received > limit:
                exchange.refusal = self.limits.refusal(path)
            elif self._held > self.limits.max_held_bytes:
                exchange.refusal = self.admission.overloaded()
            if exchange.refusal is not None:
                raise exchange.refusal
            return message

        async def send_unless_refused(message: Message) -> None:
            if exchange.refusal is None or exchange.started:
                exchange.started = True
                await send(message)

        try:
            async with AsyncExitStack() as stack:
                if is_counted(path):
                    exchange.limit = await stack.enter_async_context(self.admission.admit())
                await self.app(scope, receive_bounded, send_unless_refused)
        except DeadlineExceeded as error:
            if exchange.complete or not exchange.reading:
                raise
            raise RequestTimeout(
                f"The body of the request did not arrive within {self.upload_s:g} s. Send it faster, or smaller photos."
            ) from error
        finally:
            self._held -= exchange.received
        if exchange.refusal is not None and not exchange.started:
            raise exchange.refusal


@dataclass
class _Exchange:
    """What has happened between a client and the application so far."""

    complete: bool  # the body has arrived
    limit: asyncio.Timeout | None = None  # none if the request is not counted
    reading: bool = False  # the application has asked for the body
    received: int = 0  # bytes of the body
    started: bool = False  # the answer has started
    refusal: Exception | None = None

    def end_at(self, when: float) -> None:
        """Moves the time limit, unless it is over."""
        if self.limit is not None and not self.limit.expired():
            self.limit.reschedule(when)


def _is_route(scope: Scope) -> bool:
    """Says whether the application has a route for the path; otherwise it answers 404 and reads no body."""
    app = scope.get("app")
    return app is None or any(route.matches(scope)[0] is not Match.NONE for route in app.routes)
