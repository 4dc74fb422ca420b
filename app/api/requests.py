"""One line a request in the log, and an id that ties log, answer and problem together."""

import asyncio
import logging
import re
import time
import uuid
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import internal_error
from app.metrics import Metrics

log = logging.getLogger("facetwin.requests")
GONE: Final = 499  # nginx's number for a request whose caller did not wait for the answer; never sent
ACCEPTABLE: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestLog:
    """ASGI middleware. Logs and counts by the route's pattern, never the path: paths name people."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = given.decode() if ACCEPTABLE.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        start = time.perf_counter()
        status, started = GONE, False

        async def noting(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                headers = [*message["headers"], (b"x-request-id", request_id.encode())]
                if timings := scope["state"].get("timings_ms"):
                    entries = ", ".join(f"{stage};dur={taken:.2f}" for stage, taken in timings.items())
                    headers.append((b"server-timing", entries.encode()))
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except CallerGone:
            pass
        except Exception as error:
            # Answered here: the server would log the message, which could quote what was sent.
            answer = internal_error(request_id, error)
            scope["state"]["problem"] = "internal_error"
            if not started:
                await answer(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", None)
            seconds = time.perf_counter() - start
            state = scope["state"]
            self.metrics.request(
                route or "none", scope["method"], status, seconds, state.get("problem"), state.get("timings_ms", {})
            )
            log.info(
                "request",
                extra={
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "ms": round(seconds * 1000, 1),
                    "request_id": request_id,
                },
            )


class CallerGone(Exception):
    """Nobody waits for the answer any more."""


class Departures:
    """ASGI middleware. Cancels a request whose caller has gone, so that it leaves the queue. Raises CallerGone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        arrived: asyncio.Queue[Message] = asyncio.Queue(1)  # no more of the body than is asked for

        async def forward() -> None:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                await arrived.put(message)

        answer = asyncio.ensure_future(self.app(scope, arrived.get, send))
        arrivals = asyncio.ensure_future(forward())
        try:
            await asyncio.wait((answer, arrivals), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                answer.cancel()
                await asyncio.wait((answer,))
                raise CallerGone
            await answer
        finally:
            answer.cancel()
            arrivals.cancel()
