"""The prefix under which a proxy serves the service, whether or not the proxy removes it from the path."""

from starlette.types import ASGIApp, Receive, Scope, Send


class PrefixMiddleware:
    """Notes the prefix as ASGI's `root_path`, and adds it to a path from which the proxy has removed it."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app, self.prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            added = "" if path.startswith(f"{self.prefix}/") else self.prefix
            raw_path = added.encode() + (scope.get("raw_path") or path.encode())
            scope = {**scope, "root_path": self.prefix, "path": added + path, "raw_path": raw_path}
        await self.app(scope, receive, send)
