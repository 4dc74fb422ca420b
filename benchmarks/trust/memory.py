"""The memory of the real service after the worst photos: it returns to within 20 % of before."""

import time
from collections.abc import Iterator
from typing import Final

from PIL import Image

from benchmarks.service.process import ServiceProcess
from benchmarks.trust.row import Options, Row, faults_of, portrait
from benchmarks.trust.service import check_alive, real_service
from tests.support.fakes import encoded
from tests.support.pictures import many_scans, noise

WARM_UP: Final = 20  # requests with ordinary photos
TIMES: Final = 3  # each photo is sent
MOST: Final = 1.2  # times the memory of before
RETURN_S: Final = 60.0  # the service looks every 10 s whether it has memory to give back: app/inference/memory.py
SIZE: Final = (8192, 6144)  # 50 million pixels, the most that the service accepts


def _worst_photos() -> Iterator[tuple[str, bytes]]:
    """Yields photos that take most to decode. Each is made when it is needed."""
    large = noise(*SIZE)
    yield "WebP of 50 megapixels", encoded(large, "WEBP", quality=1, method=0)
    yield "JPEG of 50 megapixels", encoded(large, "JPEG", quality=30)
    yield "progressive JPEG of 50 megapixels", encoded(large, "JPEG", quality=30, progressive=True)
    yield "PNG of 50 megapixels", encoded(Image.new("RGB", SIZE), "PNG")
    yield "TIFF of 50 megapixels", encoded(Image.new("RGB", SIZE), "TIFF", compression="tiff_lzw")
    yield "JPEG with 3000 scans", many_scans(3000)


def attack(options: Options) -> Iterator[Row]:
    """Yields the row."""
    row = Row("memory after the worst photos")
    with faults_of(row), real_service(options.folder) as server:
        process, ordinary = ServiceProcess(server.url, server.process), portrait()
        small = encoded(Image.new("RGB", (64, 64), "grey"), "PNG")  # wakes the processes that decode
        for _ in range(WARM_UP):
            server.post("/embed", {"image": ordinary}).raise_for_status()
            server.post("/detect", {"image": small}).raise_for_status()
        time.sleep(1)
        before = process.memory_mib()
        most = before
        for name, photo in _worst_photos():
            for _ in range(TIMES):
                answer = server.post("/detect", {"image": photo})
                row.see(f"{name}: {answer.status_code}")
                row.require(answer.status_code in (200, 413, 422), f"{name}: {answer.status_code}")
                most = max(most, process.memory_mib())
        server.post("/embed", {"image": ordinary}).raise_for_status()
        until = time.monotonic() + RETURN_S
        while (after := process.memory_mib()) > MOST * before and time.monotonic() < until:
            time.sleep(1)
        row.seen[f"(before {before:.0f} MiB, most {most:.0f} MiB, afterwards {after:.0f} MiB)"] = 1
        row.require(after <= MOST * before, f"{after / before:.2f} times the memory of before")
        check_alive(server, row)
    yield row
