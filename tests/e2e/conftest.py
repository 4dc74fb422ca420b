"""The service as a person runs it: a process of its own, the shipped bundle, real photos."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

Launch = Callable[..., "Server"]


class Server:
    """`facetwin serve` on a port of its own, with its gallery in `folder`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{self.port}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FACETWIN_")}
        environment |= {
            "FACETWIN_GALLERY_URL": f"sqlite:///{folder / 'gallery.db'}",
            "FACETWIN_PORT": str(self.port),
            **settings,
        }
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from app.cli import main; main()", "serve"],
                env=environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.http = httpx.Client(base_url=self.url, timeout=60)
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                if self.http.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError(f"the service did not start:\n{self.log.read_text()}")

    def stop(self) -> None:
        """Asks it to end, as Docker does, and waits until it has."""
        self.process.terminate()
        # Having finished what it had begun, uvicorn ends by the very signal that it was sent.
        assert self.process.wait(30) in (0, -signal.SIGTERM)

    def kill(self) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Starts a service; services of one test module share a gallery."""
    folder = tmp_path_factory.mktemp("service")
    servers: list[Server] = []

    def start(**settings: str) -> Server:
        servers.append(Server(folder, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def server(launch: Launch) -> Server:
    return launch()
