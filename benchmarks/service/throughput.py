"""Throughput and latency of `/verify` and `/identify`, beside the pipeline in one process without HTTP."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import torch

from app.cores import count_cores
from app.inference.memory import keep_freed_memory
from benchmarks.service.load import LoadResult, run_closed_loop, run_open_loop
from benchmarks.service.process import run_service
from benchmarks.service.requests import enroll_photos, identify_requests, verify_requests
from model.detector.factory import open_detector
from model.encoder.bundle import Precision, find_bundle, load_bundle
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.photos import Photo

CLIENTS: Final = (1, 8, 32, 128)
REFERENCE_CLIENTS: Final = 32  # the load whose throughput sets the rates of the open loops
OPEN_LOOP_SHARES: Final = (0.5, 0.9)


def measure_service(photos: Sequence[Photo], seconds: float, precision: Precision) -> dict[str, Any]:
    """Runs closed loops of CLIENTS, then open loops at OPEN_LOOP_SHARES of what REFERENCE_CLIENTS reach."""
    pipeline_before = measure_pipeline(photos, seconds, precision)
    rows = []
    with run_service(FACETWIN_MAX_WAITING="256", FACETWIN_PRECISION=precision.value) as service:
        enroll_photos(service.url, photos)
        requests_by_path = {
            "/verify": verify_requests(service.url, photos),
            "/identify": identify_requests(service.url, photos),
        }
        for path, requests in requests_by_path.items():
            asyncio.run(run_closed_loop(service.url, requests, 8, 3))  # warms up
            reference = 0.0
            for clients in CLIENTS:
                result = asyncio.run(run_closed_loop(service.url, requests, clients, seconds))
                reference = result.throughput if clients == REFERENCE_CLIENTS else reference
                rows.append(_row(path, f"{clients} clients", result))
            for share in OPEN_LOOP_SHARES:
                result = asyncio.run(run_open_loop(service.url, requests, share * reference, seconds))
                rows.append(_row(path, f"open, {share:.0%}", result))
    # Measured before and after, so that a change in the machine's speed shows.
    pipeline_after = measure_pipeline(photos, seconds, precision)
    return {
        "precision": precision.value,
        "pipeline_pairs_a_second": [pipeline_before, pipeline_after],
        "rows": rows,
    }


def measure_pipeline(photos: Sequence[Photo], seconds: float, precision: Precision) -> float:
    """Returns pairs verified per second without HTTP: one thread per core, each reads two photos and encodes both."""
    keep_freed_memory()
    bundle = load_bundle(find_bundle("deploy"), precision=precision)
    reader = PhotoReader(
        open_detector(),
        bundle.metadata.template_array,
        bundle.metadata.crop_size,
        alignment=bundle.metadata.alignment,
    )
    files = [photo.read() for photo in photos]
    torch.set_num_threads(1)

    def verify(number: int) -> float:
        pair = files[2 * number % len(files)], files[(2 * number + 1) % len(files)]
        crops = np.stack([reader.read(each, FaceSelection.LARGEST).crop for each in pair])
        first, second = bundle.encode(crops).vectors
        return float(first @ second)

    def verify_until_end(first: int) -> int:
        done = 0
        while time.perf_counter() < end:
            verify(first + done * count_cores())
            done += 1
        return done

    with ThreadPoolExecutor(count_cores()) as pool:
        end = time.perf_counter() + 2
        list(pool.map(verify_until_end, range(count_cores())))  # warms up
        start = time.perf_counter()
        end = start + seconds
        done = sum(pool.map(verify_until_end, range(count_cores())))
        return done / (time.perf_counter() - start)


def _row(path: str, load: str, result: LoadResult) -> dict[str, Any]:
    percentiles = {f"p{percent}_ms": result.percentile(percent) for percent in (50, 95, 99)}
    statuses = {str(status): count for status, count in sorted(result.statuses.items())}
    return {"path": path, "load": load, "a_second": result.throughput, **percentiles, "statuses": statuses}
