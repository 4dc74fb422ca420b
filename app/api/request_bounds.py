"""The bounds of a request, whatever its route: bytes of its body, seconds until its answer, requests at once.

They hold before any route, dependency or parser sees the request. A slow body takes a place like any other request.
"""

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

    Raises ImageTooLarge, RequestTooLarge, Overloaded, RequestTimeout (the body did not arrive in time) and
    DeadlineExceeded (the body had arrived, but not the answer), even if the application hides its own error.
    """

    def __init__(self, app: ASGIApp, admission: Admission, limits: BodyLimits) -> None:
        self.app, self.admission, self.limits = app, admission, limits
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

        async def receive_bounded() -> Message:
            message = await receive()
            exchange.complete = not message.get("more_body", False)
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
                    await stack.enter_async_context(self.admission.admit())
                await self.app(scope, receive_bounded, send_unless_refused)
        except DeadlineExceeded as error:
            if exchange.complete:
                raise
            raise RequestTimeout(
                f"The body of the request did not arrive within {self.admission.deadline_s:g} s. Send it faster."
            ) from error
        finally:
            self._held -= exchange.received
        if exchange.refusal is not None and not exchange.started:
            raise exchange.refusal


@dataclass
class _Exchange:
    """What has happened between a client and the application so far."""

    complete: bool  # the body has arrived
    received: int = 0  # bytes of the body
    started: bool = False  # the answer has started
    refusal: Exception | None = None


def _is_route(scope: Scope) -> bool:
    """Says whether the application has a route for the path; otherwise it answers 404 and reads no body."""
    app = scope.get("app")
    return app is None or any(route.matches(scope)[0] is not Match.NONE for route in app.routes)
