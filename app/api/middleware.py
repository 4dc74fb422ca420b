"""ASGI middleware: the request log with its request ids, and the cancellation of requests whose client disconnects."""

import asyncio
import logging
import re
import time
import uuid
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.paths import has_body
from app.api.problems import KNOWN_ERRORS, internal_error_response, known_error_response
from app.metrics import Metrics

log = logging.getLogger("facetwin.requests")
CLIENT_CLOSED_REQUEST: Final = 499  # nginx's status in logs and metrics for a client that disconnected; never sent
# W3C Trace Context: version, trace, span of the caller, flags.
TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class ClientDisconnected(Exception):
    """The client closed the connection before it got the response."""


class RequestLogMiddleware:
    """Gives each request an id, logs it and counts it.

    Logs and counts by the route's pattern, never by the path: paths contain people's names. A valid `X-Request-Id`
    of the client is kept. The trace of a `traceparent` is logged, so that the line can be found from the caller's.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        trace = TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
        traced = {"trace_id": trace[1].decode(), "parent_id": trace[2].decode()} if trace else {}
        request_id = given.decode() if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        start = time.perf_counter()
        status, started = CLIENT_CLOSED_REQUEST, False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                added = [(b"x-request-id", request_id.encode())]
                if timings := scope["state"].get("timings_ms"):
                    entries = ", ".join(f"{stage};dur={taken:.2f}" for stage, taken in timings.items())
                    added.append((b"server-timing", entries.encode()))
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except ClientDisconnected:
            pass
        except KNOWN_ERRORS as error:  # of the middleware below; those of the routes have been answered
            if not started:
                await known_error_response(scope, error)(scope, receive, send_with_headers)
        except Exception as error:
            # Handled here, because uvicorn would log the error's message, which could quote the request.
            response = internal_error_response(request_id, error)
            scope["state"]["problem"] = "internal_error"
            if not started:
                await response(scope, receive, send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", None)
            seconds = time.perf_counter() - start
            state = scope["state"]
            self.metrics.observe_request(
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
                    **traced,
                },
            )


class ClientDisconnectMiddleware:
    """Cancels a request whose client has disconnected, so that it leaves the queue. Raises ClientDisconnected.

    Reads nothing of a body before the application asks for it: a client may be waiting for `100 Continue`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received: asyncio.Queue[Message] = asyncio.Queue(1)  # reads no more of the body than the application asks for

        asked = asyncio.Event()
        if not has_body(scope):
            asked.set()

        async def next_message() -> Message:
            asked.set()
            return await received.get()

        async def forward_until_disconnect() -> None:
            await asked.wait()
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                await received.put(message)

        response = asyncio.ensure_future(self.app(scope, next_message, send))
        disconnect = asyncio.ensure_future(forward_until_disconnect())
        try:
            await asyncio.wait((response, disconnect), return_when=asyncio.FIRST_COMPLETED)
            if not response.done():
                response.cancel()
                await asyncio.wait((response,))
                raise ClientDisconnected
            await response
        finally:
            response.cancel()
            disconnect.cancel()
