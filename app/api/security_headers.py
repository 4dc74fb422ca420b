"""Headers that tell browsers what they may do with an answer: nothing but show it to whoever asked."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.paths import OPEN_FOLDER, route_path

ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
NO_STORE: Final = (b"cache-control", b"no-store")  # answers hold biometric data
NOTHING: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
# Swagger UI starts with a script in its page, and styles its elements itself.
DOCS: Final = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'",
)


class SecurityHeadersMiddleware:
    """Adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = route_path(scope)
        added = [*ALWAYS, DOCS if path == "/docs" else NOTHING]
        if not path.startswith(OPEN_FOLDER):
            added.append(NO_STORE)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self.app(scope, receive, send_with_headers)
