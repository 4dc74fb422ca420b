"""A service with fake networks in processes of its own, and clients that enroll until they are stopped."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from tests.support.fakes import RED, picture

CLIENTS = 4
PATIENCE_S = 600


class LoadedService:
    """Starts at once. Keywords are settings, FACETWIN_* variables without the prefix."""

    def __init__(self, url: str, folder: Path, workers: int = 1, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / f"{port}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FACETWIN_")}
        environment |= {"FACETWIN_GALLERY_URL": url, "FACETWIN_THREADS": "1"}
        environment |= {f"FACETWIN_{name.upper()}": value for name, value in settings.items()}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fake_service", str(port), str(workers)],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.http = httpx.Client(base_url=self.url, timeout=60)
        self.acknowledged: dict[str, str] = {}  # identity -> template id
        self.refused: Counter[int] = Counter()  # statuses other than 201
        self.broken = 0  # connections that ended without an answer
        self._stop = threading.Event()
        self._clients = [threading.Thread(target=self._enroll, args=(number,)) for number in range(CLIENTS)]

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
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
        """Waits until the clients have so many acknowledged enrollments."""
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
                self.refused[answer.status_code] += 1

    def stored(self) -> dict[str, str]:
        """Returns what the service lists, as `acknowledged`."""
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

    def workers(self) -> list[int]:
        """Returns the processes of its workers; the other child is multiprocessing's tracker of resources."""
        found = []
        for each in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if "spawn_main" in " ".join(each.cmdline()):
                    found.append(each.pid)
        return found

    def kill_a_worker(self) -> None:
        """Kills one of two workers while clients enroll, and waits until another one has taken its place."""
        before = self.workers()
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        self.wait_for(acknowledged=len(self.acknowledged) + 10)
        deadline = time.monotonic() + PATIENCE_S
        while (len(self.workers()) < 2 or before[0] in self.workers()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(self.workers()) == 2

    def terminate(self) -> None:
        """Sends SIGTERM and waits for the end."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) in (0, -signal.SIGTERM)

    def end(self) -> None:
        """Ends it, whatever it does."""
        self._stop.set()
        self.http.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
