"""Who may call: checked before anything reads the body, for every path that is not listed as open."""

import hmac
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.paths import is_open, route_path
from app.errors import Unauthorized

ANONYMOUS = "anonymous"  # the caller, if the service has no keys


class Keys:
    """The service's keys. Without any, everybody may call."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]

    def caller(self, authorization: bytes) -> str:
        """Returns a name for whoever sent this `Authorization` header. Raises Unauthorized."""
        if not self._keys:
            return ANONYMOUS
        scheme, _, sent = authorization.partition(b" ")
        # Compares with every key, so that the time does not depend on which one matches.
        matches = [hmac.compare_digest(sent.strip(), key) for key in self._keys]
        if scheme.lower() != b"bearer" or not any(matches):
            raise Unauthorized("Send one of the service's keys as `Authorization: Bearer KEY`.")
        return f"key-{matches.index(True) + 1}"


class AccessMiddleware:
    """Refuses a request without a key. Notes the caller in the request's state as `caller`."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self.app, self.keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_open(route_path(scope)):
            scope["state"]["caller"] = self.keys.caller(dict(scope["headers"]).get(b"authorization", b""))
        await self.app(scope, receive, send)
