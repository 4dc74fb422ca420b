"""A service with fake networks that listens on a free port, in a thread of the tests' process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from app.settings import Settings
from tests.support.service import fake_app


@contextmanager
def listen(folder: Path, **settings: Any) -> Iterator[str]:
    """Serves with a gallery in `folder` and yields the address. Keywords are settings."""
    app = fake_app(Settings(gallery_url=f"sqlite:///{folder / 'gallery.db'}", **settings))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
