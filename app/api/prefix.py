"""The prefix under which a proxy serves the service, whether or not the proxy removes it from the path."""

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class PrefixMiddleware:
    """Notes the prefix as ASGI's `root_path`, and adds it to a path from which the proxy has removed it.

    The prefix alone is redirected to the prefix with a slash: the page's links are relative.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app, self.prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if path == self.prefix:
                await RedirectResponse(f"{self.prefix}/", 308)(scope, receive, send)
                return
            added = "" if path.startswith(f"{self.prefix}/") else self.prefix
            raw_path = added.encode() + (scope.get("raw_path") or path.encode())
            scope = {**scope, "root_path": self.prefix, "path": added + path, "raw_path": raw_path}
        await self.app(scope, receive, send)
