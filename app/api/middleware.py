"""ASGI middleware: the request log with its request ids, and the cancellation of requests whose client disconnects."""

import asyncio
import logging
import re
import time
import uuid
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import internal_error_response
from app.metrics import Metrics

log = logging.getLogger("facetwin.requests")
CLIENT_CLOSED_REQUEST: Final = 499  # nginx's status in logs and metrics for a client that disconnected; never sent
REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class ClientDisconnected(Exception):
    """The client closed the connection before it got the response."""


class RequestLogMiddleware:
    """Gives each request an id, logs it and counts it.

    Logs and counts by the route's pattern, never by the path: paths contain people's names. A valid `X-Request-Id`
    of the client is kept.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = given.decode() if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        start = time.perf_counter()
        status, started = CLIENT_CLOSED_REQUEST, False

        async def send_with_headers(message: Message) -> None:
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
            await self.app(scope, receive, send_with_headers)
        except ClientDisconnected:
            pass
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
                },
            )


class ClientDisconnectMiddleware:
    """Cancels a request whose client has disconnected, so that it leaves the queue. Raises ClientDisconnected."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received: asyncio.Queue[Message] = asyncio.Queue(1)  # reads no more of the body than the application asks for

        async def forward_until_disconnect() -> None:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                await received.put(message)

        response = asyncio.ensure_future(self.app(scope, received.get, send))
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
