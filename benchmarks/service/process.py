"""A service in a process of its own, for benchmarks."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import psutil

START_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True)
class ServiceProcess:
    """A running service: its base URL and its main process."""

    url: str
    process: "subprocess.Popen[bytes]"

    def memory_mib(self) -> float:
        """Resident memory in MiB of all its processes together."""
        main = psutil.Process(self.process.pid)
        return sum(float(each.memory_info().rss) for each in (main, *main.children(recursive=True))) / 2**20


@contextmanager
def run_service(**settings: str) -> Iterator[ServiceProcess]:
    """Starts a service with an empty gallery on a free port, and stops it on exit. Its log is discarded.

    `settings` are FACETWIN_* variables; those of the caller's environment are not passed on. Raises RuntimeError if
    the service is not ready within START_TIMEOUT_S.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FACETWIN_")}
        environment |= {
            "FACETWIN_GALLERY_URL": f"sqlite:///{folder}/gallery.db",
            "FACETWIN_PORT": str(port),
            **settings,
        }
        command = [sys.executable, "-c", "from app.cli import main; main()", "serve"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(url, process)
            yield ServiceProcess(url, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("The service did not start. Run `facetwin serve` to see why.")
