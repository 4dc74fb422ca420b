"""Headers that tell browsers what they may do with an answer: nothing but show it to whoever asked."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.paths import OPEN_FOLDERS, is_page, route_path

ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
NO_STORE: Final = (b"cache-control", b"no-store")  # answers hold biometric data
# A browser asks for every file of the page again, with its ETag: after an update no old module meets a new one.
REVALIDATE: Final = (b"cache-control", b"no-cache")
NOTHING: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
# Swagger UI starts with a script in its page, and styles its elements itself.
DOCS: Final = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'",
)
# The page's scripts and styles are files of the service; photos are drawn on canvases, which load nothing.
PAGE: Final = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
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
        added = [*ALWAYS, DOCS if path == "/docs" else PAGE if is_page(path) else NOTHING]
        if is_page(path):
            added.append(REVALIDATE)
        elif not path.startswith(OPEN_FOLDERS):
            added.append(NO_STORE)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self.app(scope, receive, send_with_headers)
