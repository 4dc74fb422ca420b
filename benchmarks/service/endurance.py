"""The service under more load than it can serve, and for long: answers, refusals, memory."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

from benchmarks.service.load import LoadResult, run_closed_loop, run_open_loop
from benchmarks.service.photos import select_photos
from benchmarks.service.process import ServiceProcess, run_service
from benchmarks.service.requests import enroll_photos, identify_requests, verify_requests
from model.encoder.bundle import Precision
from training.evaluation.plots import BLUE, GREY, ORANGE
from training.provenance import describe_machine, git_commit

PHOTOS: Final = 400
CLIENTS: Final = 32
REPORTS: Final = Path("docs/reports")
DEADLINE_S: Final = 30.0  # the default of FACETWIN_DEADLINE_S
console = Console()


@dataclass(frozen=True)
class MemorySample:
    """Memory of all processes of the service at one moment."""

    position: float  # requests answered (soak) or seconds since the start (overload)
    mib: float


def measure_overload(factor: float, seconds: float, precision: Precision) -> None:
    """Offers `factor` times the sustainable load for `seconds` and writes docs/reports/overload.json."""
    with run_service(FACETWIN_PRECISION=precision.value) as service:
        requests = verify_requests(service.url, select_photos(PHOTOS))
        asyncio.run(run_closed_loop(service.url, requests, CLIENTS, 5))  # warms up
        before = asyncio.run(run_closed_loop(service.url, requests, CLIENTS, 15))
        memory, result = asyncio.run(_overload_and_sample(service, requests, factor * before.throughput, seconds))
        after = asyncio.run(run_closed_loop(service.url, requests, CLIENTS, 15))
    report = {
        "command": f"python -m benchmarks.endurance overload --precision {precision}",
        "machine": describe_machine(),
        "commit": git_commit(),
        "sustainable_a_second": before.throughput,
        "offered_a_second": factor * before.throughput,
        "seconds": seconds,
        "answered": len(result.latencies_ms),
        "refused_with_429": result.statuses[429],
        "failed_with_5xx": sum(count for status, count in result.statuses.items() if status >= 500),
        "without_an_answer": result.statuses[0],
        "answered_a_second": len(result.latencies_ms) / seconds,
        "p50_ms": result.percentile(50),
        "p99_ms": result.percentile(99),
        "slowest_ms": max(result.latencies_ms),
        "within_the_deadline": max(result.latencies_ms) <= DEADLINE_S * 1000,
        "mib_at_the_start": memory[0].mib,
        "mib_at_most": max(sample.mib for sample in memory),
        "afterwards_a_second": after.throughput,
    }
    _write_report(report, REPORTS / "overload.json")


async def _overload_and_sample(
    service: ServiceProcess, requests: Sequence[bytes], rate: float, seconds: float
) -> tuple[list[MemorySample], LoadResult]:
    """Runs an open loop and samples the service's memory once per second."""
    start, samples = time.perf_counter(), [MemorySample(0, service.memory_mib())]

    async def sample_memory() -> None:
        while True:
            await asyncio.sleep(1)
            samples.append(MemorySample(time.perf_counter() - start, service.memory_mib()))

    sampling = asyncio.create_task(sample_memory())
    result = await run_open_loop(service.url, requests, rate, seconds)
    sampling.cancel()
    return samples, result


def measure_soak(requests: int, warm_up: int, precision: Precision, plot: Path) -> None:
    """Sends `requests` requests; writes docs/reports/soak.json and the plot. The first `warm_up` do not count."""
    photos = select_photos(PHOTOS)
    with run_service(FACETWIN_PRECISION=precision.value) as service:
        enroll_photos(service.url, photos)
        both = [*identify_requests(service.url, photos), *verify_requests(service.url, photos)]
        memory, done, start = [MemorySample(0, service.memory_mib())], 0, time.perf_counter()
        statuses: Counter[int] = Counter()
        with Progress(console=console) as progress:
            task = progress.add_task("requests", total=requests)
            while done < requests:
                result = asyncio.run(run_closed_loop(service.url, both, CLIENTS, 5))
                done += sum(result.statuses.values())
                statuses += result.statuses
                memory.append(MemorySample(done, service.memory_mib()))
                progress.update(task, completed=done)
        seconds = time.perf_counter() - start
    warm = [sample for sample in memory if sample.position >= warm_up]
    first, last = (sum(sample.mib for sample in part) / len(part) for part in (warm[:5], warm[-5:]))
    _plot_memory(memory, warm_up, plot)
    report = {
        "command": f"python -m benchmarks.endurance soak --precision {precision}",
        "machine": describe_machine(),
        "commit": git_commit(),
        "requests": done,
        "seconds": seconds,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "mib_after_warm_up": first,
        "mib_at_the_end": last,
        "growth": last / first - 1,
    }
    _write_report(report, REPORTS / "soak.json")


def _write_report(report: dict[str, Any], target: Path) -> None:
    console.print_json(json.dumps(report))
    target.write_text(json.dumps(report, indent=1) + "\n")


def _plot_memory(memory: Sequence[MemorySample], warm_up: int, target: Path) -> None:
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([sample.position for sample in memory], [sample.mib for sample in memory], color=BLUE)
    axes.axvline(warm_up, color=ORANGE, linestyle="--")
    axes.annotate("warm-up", (warm_up, 0), xytext=(4, 6), textcoords="offset points", color=ORANGE)
    axes.set(xlabel="requests answered", ylabel="MiB in use", title="Memory of the service")
    axes.set_ylim(0, 1.15 * max(sample.mib for sample in memory))
    axes.grid(True, alpha=0.25)
    figure.text(0.99, 0.01, describe_machine(), ha="right", fontsize=7, color=GREY)
    figure.savefig(target, dpi=110)
