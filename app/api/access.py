"""Who may call, and for what: checked before anything reads the body, for every path that is not listed as open."""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.key_ring import KeyRing
from app.api.paths import is_open, route_path
from app.api.scopes import check_request


class AccessMiddleware:
    """Refuses a request without a key, or whose key is not for it. Notes the Caller in the request's state as `caller`.

    Raises Unauthorized, Forbidden and GalleryUnavailable.
    """

    def __init__(self, app: ASGIApp, keys: KeyRing) -> None:
        self.app, self.keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_open(route_path(scope)):
            caller = self.keys.caller(dict(scope["headers"]).get(b"authorization", b""))
            check_request(scope, caller)
            scope["state"]["caller"] = caller
        await self.app(scope, receive, send)
