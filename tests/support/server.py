"""A service in its own process, with the shipped bundle."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

PATIENCE_S = 600  # a busy machine may take that long to load the networks
Launch = Callable[..., "Server"]


class Server:
    """Runs `facetwin serve` on a free port, with its gallery in `folder`. Keywords are environment variables."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """Waits until the service is ready. Raises RuntimeError with the log if it does not start."""
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
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def post(self, path: str, images: dict[str, bytes], **fields: Any) -> httpx.Response:
        """Sends photos and form fields."""
        return self.http.post(path, files=images, data=fields)

    def stop(self) -> None:
        """Sends SIGTERM, as Docker does, and waits until the process has ended."""
        self.process.terminate()
        # After a graceful shutdown uvicorn raises the signal again, with its default action.
        assert self.process.wait(30) in (0, -signal.SIGTERM)

    def kill(self) -> None:
        """Kills the process if it still runs."""
        self.http.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if self.http.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError(f"the service did not start:\n{self.log.read_text()}")
