"""The version in front of every path: `/v1/verify` is the route `/verify`.

It is removed before anything looks at the path. So access rules, rates, bounds, metrics and logs of both forms are the
same, whatever routes are added.
"""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.paths import route_path

VERSION: Final = "/v1"


class VersionMiddleware:
    """Removes the version from a path. A path that is nothing but the version stays as it is: no route has it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = route_path(scope)
            if path.startswith(f"{VERSION}/") and path != f"{VERSION}/":
                root = scope["path"].removesuffix(path)
                scope = {**scope, "path": root + path.removeprefix(VERSION)}
        await self.app(scope, receive, send)
