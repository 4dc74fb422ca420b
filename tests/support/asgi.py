"""A client that speaks ASGI itself, so that a test sees how much of its body was read."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.types import Message


class EndlessBody:
    """Sends its start, then chunks of 64 KiB for as long as somebody reads, at most 400 MB."""

    chunk = b"x" * 65536

    def __init__(self, start: bytes = b"") -> None:
        self.start, self.read = start, 0

    async def receive(self) -> Message:
        chunk, self.start = self.start or self.chunk, b""
        self.read += len(chunk)
        await asyncio.sleep(0)
        return {"type": "http.request", "body": chunk, "more_body": self.read < 400_000_000}


class StalledBody:
    """Sends its start, and never the rest."""

    def __init__(self, start: bytes = b"{") -> None:
        self.start: bytes | None = start

    async def receive(self) -> Message:
        if self.start is None:
            await asyncio.Event().wait()
        start, self.start = self.start, None
        return {"type": "http.request", "body": start, "more_body": True}


class WholeBody:
    """Sends all at once, then waits as a client does that wants its answer."""

    def __init__(self, content: bytes = b"") -> None:
        self.content: bytes | None = content

    async def receive(self) -> Message:
        if self.content is None:
            await asyncio.Event().wait()
        content, self.content = self.content, None
        return {"type": "http.request", "body": content, "more_body": False}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """The code of a problem; None for any other answer."""
        problem: dict[str, Any] = json.loads(self.body)
        return problem.get("code")


async def ask(app: Any, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """Sends a request whose path may be percent-encoded. Raises what the application raises."""
    if body is None:
        body = WholeBody()
    elif "content_length" not in headers:
        headers["transfer_encoding"] = "chunked"
    raw, _, query = path.partition("?")
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")]
        + [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, body.receive, send)
    start = messages[0]
    return Answer(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in messages[1:]),
    )


def every_route(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yields method and path, without the version, of every route that OpenAPI lists, with names filled in."""
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            yield (
                method.upper(),
                path.removeprefix("/v1").format(identity="ada", template_id="t", rejection_id="r", gallery="g"),
            )
