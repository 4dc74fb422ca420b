"""One service and one browser for all tests of the page."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
import uvicorn
from playwright.sync_api import Browser, Page

from app.settings import Settings
from tests.support.browser import find_chromium, run_chromium, watched_page
from tests.support.server import Server
from tests.support.service import fake_app
from training.data.photos import Photo
from training.data.sets.lfw import lfw_photo_name

KEY = "a-key-of-sixteen!"
Open = Callable[..., AbstractContextManager[Page]]


# Of the package, not of the session: while it is open, an event loop runs, in which no other test could run its own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with run_chromium() as running:
        yield running


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service with the shipped bundle, without keys, as `make serve` starts it."""
    find_chromium()
    server = Server(tmp_path_factory.mktemp("page"))
    yield server
    server.kill()


@pytest.fixture(scope="package")
def guarded_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service with fake networks that asks for KEY and is served under a prefix."""
    find_chromium()
    gallery = f"sqlite:///{tmp_path_factory.mktemp('guarded') / 'gallery.db'}"
    app = fake_app(Settings(gallery_url=gallery, api_keys=KEY, root_path="/faces"))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/faces/"
    server.should_exit = True
    thread.join()


@pytest.fixture
def page(browser: Browser, service: Server) -> Iterator[Page]:
    """The page, in a profile of its own. Fails if it asks another host, or if its console has an error."""
    with ExitStack() as stack:
        yield stack.enter_context(watched_page(browser, f"{service.url}/"))


@pytest.fixture(scope="package")
def photos(lfw: dict[str, Photo]) -> dict[str, bytes]:
    """Four photos: two of one man and one of each of two others."""
    names = {
        "aaron": lfw_photo_name("Aaron_Peirsol", 1),
        "aaron2": lfw_photo_name("Aaron_Peirsol", 2),
        "abba": lfw_photo_name("Abba_Eban", 1),
        "colin": lfw_photo_name("Colin_Powell", 1),
    }
    return {short: lfw[name].read() for short, name in names.items()}
