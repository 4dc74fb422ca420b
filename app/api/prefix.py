"""The prefix under which a proxy serves the service, whether or not the proxy removes it from the path."""

from starlette.types import ASGIApp, Receive, Scope, Send


class PrefixMiddleware:
    """Notes the prefix as ASGI's `root_path`. Routes ignore it at the start of a path, and links begin with it."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app, self.prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "root_path": self.prefix}, receive, send)
