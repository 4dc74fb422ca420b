"""The service in this process, without a socket: the same application, so the same answers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from app.cli.configuration import read_settings
from app.cli.output import fail

IN_PROCESS_URL: Final = "http://127.0.0.1"

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


class InProcessTransport(httpx.BaseTransport):
    """Sends requests to an ASGI application whose event loop runs in another thread. Threads may share it."""

    def __init__(self, app: Any, portal: BlockingPortal) -> None:
        self._portal = portal
        self._application = httpx.ASGITransport(app, raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._portal.call(self._answer, request)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._application.handle_async_request(request)
        return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())


@contextmanager
def run_in_process(app: Any, lifespan: Lifespan) -> Iterator[InProcessTransport]:
    """Starts an ASGI application, and stops it on exit. Raises what its start raises."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(lifespan(app)):
        yield InProcessTransport(app, portal)


@contextmanager
def open_in_process(*, needs_gallery: bool) -> Iterator[InProcessTransport]:
    """Starts the service that FACETWIN_* describe. Exits with a message if it cannot start.

    Without `needs_gallery` it gets an empty one, so that a comparison of two photos creates no file.
    """
    from app.api.key_ring import NoKeyRing
    from app.errors import FacetwinError
    from app.gallery.base import GalleryError
    from app.main import create_app
    from model.runtime.torchscript import BundleError

    # Nobody else can ask it: it needs no keys, no rates and no pages for browsers.
    overrides: dict[str, Any] = {
        "host": "127.0.0.1",
        "root_path": "",
        "api_keys": (),
        "allowed_hosts": (),
        "rate_limits": "",
        "docs": False,
        "metrics": False,
        "workers": 1,
    }
    with ExitStack() as stack:
        if not needs_gallery:
            folder = stack.enter_context(TemporaryDirectory(prefix="facetwin-"))
            overrides["gallery_url"] = f"sqlite:///{folder}/gallery.db"
        app = create_app(read_settings(**overrides), keys=NoKeyRing())
        try:
            transport = stack.enter_context(run_in_process(app, app.router.lifespan_context))
        except (BundleError, FacetwinError, GalleryError, ValueError) as error:
            fail(str(error))
        yield transport
