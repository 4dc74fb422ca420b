"""`/verify` and `/identify` over HTTP, beside the pipeline in one process: the same photos on the same cores."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import numpy as np
import torch

from app.inference.memory import keep_freed_memory
from app.settings import cores
from benchmarks.load import Outcome, closed_loop, open_loop, prepared
from model.detector.orientation import open_detector
from model.encoder.bundle import Precision, find_bundle, load_bundle
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.photos import Photo

CLIENTS: Final = (1, 8, 32, 128)
GALLERY: Final = 100  # people enrolled for /identify


@dataclass(frozen=True)
class Running:
    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def running(**settings: str) -> Iterator[Running]:
    """A service of its own on this machine, with an empty gallery; its log goes nowhere."""
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
            _await(url, process)
            yield Running(url, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the service did not start; `facetwin serve` says why")


def verify_requests(url: str, photos: Sequence[Photo], count: int = 64) -> list[bytes]:
    """Pairs of different photos."""
    chosen = list(islice(cycle(photos), 2 * count))
    return [
        prepared(url, "/verify", {"image1": first.read(), "image2": second.read()})
        for first, second in zip(chosen[::2], chosen[1::2], strict=True)
    ]


def identify_requests(url: str, photos: Sequence[Photo], count: int = 64) -> list[bytes]:
    """Photos, after the first GALLERY were enrolled."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for number, photo in enumerate(photos[:GALLERY]):
            client.post("/enroll", files={"image": photo.read()}, data={"identity": str(number)}).raise_for_status()
    return [prepared(url, "/identify", {"image": photo.read()}) for photo in islice(cycle(photos), count)]


def in_process(photos: Sequence[Photo], seconds: float, precision: Precision) -> float:
    """Pairs verified a second without HTTP: a thread for each core, each reads two photos and encodes both faces."""
    keep_freed_memory()
    bundle = load_bundle(find_bundle("deploy"), precision=precision)
    reader = PhotoReader(open_detector(), bundle.metadata.template_array, bundle.metadata.crop_size)
    data = [photo.read() for photo in photos]
    torch.set_num_threads(1)

    def verify(number: int) -> float:
        pair = data[2 * number % len(data)], data[(2 * number + 1) % len(data)]
        crops = np.stack([reader.read(each, FaceSelection.LARGEST).crop for each in pair])
        first, second = bundle.encode(crops)
        return float(first @ second)

    def work(first: int) -> int:
        done = 0
        while time.perf_counter() < until:
            verify(first + done * cores())
            done += 1
        return done

    with ThreadPoolExecutor(cores()) as pool:
        until = time.perf_counter() + 2
        list(pool.map(work, range(cores())))  # warms up
        start = time.perf_counter()
        until = start + seconds
        done = sum(pool.map(work, range(cores())))
        return done / (time.perf_counter() - start)


def service_table(photos: Sequence[Photo], seconds: float, precision: Precision) -> dict[str, Any]:
    """Closed loops of CLIENTS, then open loops at half and nine tenths of what 32 clients reach."""
    pipeline = in_process(photos, seconds, precision)
    rows = []
    with running(FACETWIN_MAX_WAITING="256", FACETWIN_PRECISION=precision.value) as service:
        requests = {
            "/verify": verify_requests(service.url, photos),
            "/identify": identify_requests(service.url, photos),
        }
        for path, some in requests.items():
            asyncio.run(closed_loop(service.url, some, 8, 3))  # warms up
            sustained = 0.0
            for clients in CLIENTS:
                found = asyncio.run(closed_loop(service.url, some, clients, seconds))
                sustained = found.throughput if clients == 32 else sustained
                rows.append(_row(path, f"{clients} clients", found))
            for share in (0.5, 0.9):
                found = asyncio.run(open_loop(service.url, some, share * sustained, seconds))
                rows.append(_row(path, f"open, {share:.0%}", found))
    again = in_process(photos, seconds, precision)  # before and after: what slows the machine down meanwhile shows
    return {"precision": precision.value, "pipeline_pairs_a_second": [pipeline, again], "rows": rows}


def _row(path: str, load: str, found: Outcome) -> dict[str, Any]:
    percentiles = {f"p{percent}_ms": found.percentile(percent) for percent in (50, 95, 99)}
    statuses = {str(status): count for status, count in sorted(found.statuses.items())}
    return {"path": path, "load": load, "a_second": found.throughput, **percentiles, "statuses": statuses}
