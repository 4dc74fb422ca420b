"""End to end, with fake networks: what clients see when processes end under load. Nothing acknowledged is lost."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.fakes import RED, picture

CLIENTS = 4
PATIENCE_S = 600


class Service:
    """A service with fakes, and clients that enroll until they are stopped."""

    def __init__(self, url: str, folder: Path, workers: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FACETWIN_")}
        with (folder / "service.log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fake_service", str(port), str(workers)],
                env={**environment, "FACETWIN_GALLERY_URL": url, "FACETWIN_THREADS": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.http = httpx.Client(base_url=self.url, timeout=60)
        self.acknowledged: dict[str, str] = {}  # identity -> template id
        self.refused: list[int] = []  # statuses other than 201
        self.broken = 0  # connections that ended without an answer
        self._stop = threading.Event()
        self._clients = [threading.Thread(target=self._enroll, args=(number,)) for number in range(CLIENTS)]

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None
            try:
                if self.http.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError("the service did not start")

    def start_clients(self) -> None:
        for each in self._clients:
            each.start()

    def wait_for(self, acknowledged: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while len(self.acknowledged) < acknowledged:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop_clients(self) -> None:
        self._stop.set()
        for each in self._clients:
            each.join()

    def _enroll(self, client: int) -> None:
        for number in range(100_000):
            if self._stop.is_set():
                return
            identity = f"{client}-{number}"
            try:
                answer = self.http.post("/enroll", files={"image": picture(RED)}, data={"identity": identity})
            except httpx.TransportError:
                self.broken += 1
                time.sleep(0.02)
                continue
            if answer.status_code == 201:
                self.acknowledged[identity] = answer.json()["template_id"]
            else:
                self.refused.append(answer.status_code)

    def stored(self) -> dict[str, str]:
        found, after = {}, None
        while True:
            query = {"limit": "500"} | ({"after": after} if after else {})
            page = self.http.get("/identities", params=query).json()
            for each in page["identities"]:
                (template,) = each["templates"]
                found[each["identity"]] = template["template_id"]
            after = page["next_after"]
            if after is None:
                return found

    def end(self) -> None:
        self._stop.set()
        self.http.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'gallery.db'}"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[list[Service]]:
    started: list[Service] = []
    yield started
    for each in started:
        each.end()


def test_sigterm_under_load_answers_what_was_accepted_and_loses_nothing(
    url: str, tmp_path: Path, services: list[Service]
) -> None:
    service = Service(url, tmp_path, workers=1)
    services.append(service)
    service.wait_until_ready()
    service.start_clients()
    service.wait_for(acknowledged=10)
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(PATIENCE_S) in (0, -signal.SIGTERM)
    service.stop_clients()
    assert set(service.refused) <= {503}
    successor = Service(url, tmp_path, workers=1)
    services.append(successor)
    successor.wait_until_ready()
    assert service.acknowledged.items() <= successor.stored().items()


def children(pid: int) -> list[int]:
    """Processes of uvicorn's workers; the other child is multiprocessing's tracker of resources."""
    found = []
    for each in psutil.Process(pid).children():
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(each.cmdline()):
                found.append(each.pid)
    return found


def test_a_killed_worker_is_replaced_and_nothing_acknowledged_is_lost(
    url: str, tmp_path: Path, services: list[Service]
) -> None:
    service = Service(url, tmp_path, workers=2)
    services.append(service)
    service.wait_until_ready()
    service.start_clients()
    service.wait_for(acknowledged=10)
    before = children(service.process.pid)
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    service.wait_for(acknowledged=len(service.acknowledged) + 10)
    deadline = time.monotonic() + PATIENCE_S
    while (len(children(service.process.pid)) < 2 or before[0] in children(service.process.pid)) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.1)
    service.stop_clients()
    assert len(children(service.process.pid)) == 2
    assert service.process.poll() is None
    assert service.refused == []
    assert service.acknowledged.items() <= service.stored().items()
