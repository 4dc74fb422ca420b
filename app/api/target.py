"""The first line and the headers of a request, checked as bytes: decoders replace what is not UTF-8, and so lose it."""

from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import MalformedRequest

MAX_HEADERS_BYTES: Final = 32 * 1024  # names and values of all headers


class TargetMiddleware:
    """Refuses a path or query with a NUL character or with bytes that are not UTF-8, a query with a parameter twice,
    and headers of more than 32 KiB.

    Raises MalformedRequest.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _check("path", scope.get("raw_path") or scope["path"].encode())
            _check("query", scope["query_string"])
            _check_duplicates(scope["query_string"])
            if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS_BYTES:
                raise MalformedRequest([{"field": "headers", "message": f"have more than {MAX_HEADERS_BYTES:,} bytes"}])
        await self.app(scope, receive, send)


def _check_duplicates(query: bytes) -> None:
    names = [unquote_to_bytes(part.partition(b"=")[0]) for part in query.split(b"&") if part]
    if len(set(names)) < len(names):
        raise MalformedRequest([{"field": "query", "message": "has a parameter twice; send it once"}])


def _check(field: str, encoded: bytes) -> None:
    content = unquote_to_bytes(encoded)
    if b"\0" in content:
        raise MalformedRequest([{"field": field, "message": "has a NUL character"}])
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest([{"field": field, "message": "is not valid UTF-8"}]) from error
