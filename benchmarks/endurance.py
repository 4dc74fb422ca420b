"""`python -m benchmarks.endurance overload|soak`: the service under more load than it can bear, and for long."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import psutil
import typer
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

from benchmarks.load import Outcome, closed_loop, open_loop
from benchmarks.service import Running, identify_requests, running, verify_requests
from model.encoder.bundle import Precision
from training.data.photos import Photo, data_folder, find_photos, lfw_photos
from training.evaluation.plots import BLUE, GREY, ORANGE
from training.provenance import git_commit, machine

PHOTOS: Final = 400
CLIENTS: Final = 32
PLOTS, REPORTS = Path("docs/plots"), Path("docs/reports")
DEADLINE_S: Final = 30.0  # the service's default
app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
console = Console()


@dataclass(frozen=True)
class Memory:
    """MiB in use by all processes of the service, after so many requests or seconds."""

    at: float
    mib: float


def mebibytes(service: Running) -> float:
    process = psutil.Process(service.process.pid)
    return sum(float(each.memory_info().rss) for each in (process, *process.children(recursive=True))) / 2**20


@app.command()
def overload(
    factor: Annotated[float, typer.Option(help="Of the load that the service can bear.")] = 4.0,
    seconds: Annotated[float, typer.Option(help="Of overload.")] = 60.0,
    precision: Annotated[Precision, typer.Option(help="Of the encoder.")] = Precision.FLOAT32,
) -> None:
    """Sustainable load, then `factor` times as much, then full speed again: what is answered, refused and delayed."""
    with running(FACETWIN_PRECISION=precision.value) as service:
        requests = verify_requests(service.url, _photos())
        asyncio.run(closed_loop(service.url, requests, CLIENTS, 5))  # warms up
        before = asyncio.run(closed_loop(service.url, requests, CLIENTS, 15))
        memory, found = asyncio.run(_watched(service, requests, factor * before.throughput, seconds))
        after = asyncio.run(closed_loop(service.url, requests, CLIENTS, 15))
    refused = found.statuses[429]
    report = {
        "command": f"python -m benchmarks.endurance overload --precision {precision}",
        "machine": machine(),
        "commit": git_commit(),
        "sustainable_a_second": before.throughput,
        "offered_a_second": factor * before.throughput,
        "seconds": seconds,
        "answered": len(found.ms),
        "refused_with_429": refused,
        "failed_with_5xx": sum(count for status, count in found.statuses.items() if status >= 500),
        "without_an_answer": found.statuses[0],
        "answered_a_second": len(found.ms) / seconds,
        "p50_ms": found.percentile(50),
        "p99_ms": found.percentile(99),
        "slowest_ms": max(found.ms),
        "within_the_deadline": max(found.ms) <= DEADLINE_S * 1000,
        "mib_at_the_start": memory[0].mib,
        "mib_at_most": max(each.mib for each in memory),
        "afterwards_a_second": after.throughput,
    }
    _write(report, REPORTS / "overload.json")


async def _watched(
    service: Running, requests: Sequence[bytes], rate: float, seconds: float
) -> tuple[list[Memory], Outcome]:
    start, memory = time.perf_counter(), [Memory(0, mebibytes(service))]

    async def watch() -> None:
        while True:
            await asyncio.sleep(1)
            memory.append(Memory(time.perf_counter() - start, mebibytes(service)))

    watching = asyncio.create_task(watch())
    found = await open_loop(service.url, requests, rate, seconds)
    watching.cancel()
    return memory, found


@app.command()
def soak(
    requests: Annotated[int, typer.Option(help="In all.")] = 100_000,
    warm_up: Annotated[int, typer.Option(help="Requests that do not count.")] = 10_000,
    precision: Annotated[Precision, typer.Option(help="Of the encoder.")] = Precision.FLOAT32,
    plot: Annotated[Path, typer.Option(help="Gets the picture.")] = PLOTS / "soak.png",
) -> None:
    """Many requests, `/verify` and `/identify` in turn: whether memory grows."""
    photos = _photos()
    with running(FACETWIN_PRECISION=precision.value) as service:
        some = [*identify_requests(service.url, photos), *verify_requests(service.url, photos)]
        memory, statuses, done, start = [Memory(0, mebibytes(service))], Outcome().statuses, 0, time.perf_counter()
        with Progress(console=console) as progress:
            task = progress.add_task("requests", total=requests)
            while done < requests:
                found = asyncio.run(closed_loop(service.url, some, CLIENTS, 5))
                done += sum(found.statuses.values())
                statuses += found.statuses
                memory.append(Memory(done, mebibytes(service)))
                progress.update(task, completed=done)
        seconds = time.perf_counter() - start
    warm = [each for each in memory if each.at >= warm_up]
    first, last = (sum(each.mib for each in part) / len(part) for part in (warm[:5], warm[-5:]))
    _draw(memory, warm_up, plot)
    report = {
        "command": f"python -m benchmarks.endurance soak --precision {precision}",
        "machine": machine(),
        "commit": git_commit(),
        "requests": done,
        "seconds": seconds,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "mib_after_warm_up": first,
        "mib_at_the_end": last,
        "growth": last / first - 1,
    }
    _write(report, REPORTS / "soak.json")


def _photos() -> list[Photo]:
    every = find_photos(lfw_photos(data_folder()))
    return every[:: len(every) // PHOTOS]


def _write(report: dict[str, Any], target: Path) -> None:
    console.print_json(json.dumps(report))
    target.write_text(json.dumps(report, indent=1) + "\n")


def _draw(memory: Sequence[Memory], warm_up: int, target: Path) -> None:
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([each.at for each in memory], [each.mib for each in memory], color=BLUE)
    axes.axvline(warm_up, color=ORANGE, linestyle="--")
    axes.annotate("warm-up", (warm_up, 0), xytext=(4, 6), textcoords="offset points", color=ORANGE)
    axes.set(xlabel="requests answered", ylabel="MiB in use", title="Memory of the service")
    axes.set_ylim(0, 1.15 * max(each.mib for each in memory))
    axes.grid(True, alpha=0.25)
    figure.text(0.99, 0.01, machine(), ha="right", fontsize=7, color=GREY)
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    app()
