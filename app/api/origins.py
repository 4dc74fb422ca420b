"""Which web pages may call: decision 23.

A browser sends requests for any page that it shows, also to services on its own machine, and names the page's origin.
Without keys, such a request looks like any other; so it is refused unless it comes from the service's own pages.
"""

from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from app.addresses import is_loopback
from app.errors import ForeignRequest


class OriginMiddleware:
    """Refuses requests of foreign web pages. Raises ForeignRequest.

    `hosts` are the names by which clients may address the service besides those of this machine; None allows any. With
    it, a name that an attacker's DNS points here is refused. `origins` are the pages that may call: CORS. Nothing is
    refused while callers need a key, `needs_key`.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str] | None, origins: Collection[str], needs_key: Callable[[], bool]
    ) -> None:
        self.app, self.hosts, self.origins, self.needs_key = app, hosts, frozenset(origins), needs_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self.needs_key():
            headers = dict(scope["headers"])
            host = headers.get(b"host", b"").decode("latin-1")
            origin = headers.get(b"origin", b"").decode("latin-1")
            if self.hosts is not None and host and not self._is_ours(host):
                raise ForeignRequest(
                    "The service was addressed by a name that it does not know. Use 127.0.0.1 or localhost, or add the "
                    "name to FACETWIN_ALLOWED_HOSTS."
                )
            if origin and origin not in self.origins and _netloc(origin) != host.lower():
                raise ForeignRequest(
                    "The request comes from a web page of another origin. Add the origin to FACETWIN_ALLOWED_ORIGINS, "
                    "or make a key with `facetwin keys add`."
                )
        await self.app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return is_loopback(name) or name in (self.hosts or ())


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
