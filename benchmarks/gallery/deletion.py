"""`python -m benchmarks.gallery.deletion`: how long searches take while a large gallery is deleted.

One process searches its default gallery, as a service with one client does, first alone, then while it deletes another
gallery of 200,000 templates, in SQLite and in PostgreSQL. Vectors are random. Prints a table.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray

DIMENSION: Final = 256  # of the bundle `deploy`
OLD: Final = "old"
PAUSE_S: Final = 0.01  # between two searches
STORES: Final = ["sqlite", "postgresql"]


def main(
    templates: Annotated[int, typer.Option(help="Templates that are deleted.")] = 200_000,
    searched: Annotated[int, typer.Option(help="Templates of the gallery that is searched.")] = 20_000,
    seconds: Annotated[float, typer.Option(help="Of searches before the deletion.")] = 20.0,
    store: Annotated[list[str], typer.Option(help="sqlite or postgresql; may be given twice.")] = STORES,
) -> None:
    from rich.console import Console
    from rich.table import Table

    titles = ("store", "before: p50, p99, longest, ms", "during: p50, p99, longest, ms", "searches", "deletion, s")
    table = Table(*titles)
    for kind in store:
        with filled(kind, templates, searched) as (url, probes):
            before, during, deletion_s = asyncio.run(measure(url, probes, seconds))
            table.add_row(kind, describe(before), describe(during), f"{len(during):,}", f"{deletion_s:.1f}")
    Console().print(table)


@contextmanager
def filled(kind: str, templates: int, searched: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """A store with both galleries. Yields its URL, and vectors of enrolled people, (N, D)."""
    from benchmarks.gallery.fill import create_tables, fill_postgres, fill_sqlite
    from tests.support.postgres_server import run_postgres

    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory(prefix="fg-") as name:
        folder = Path(name)

        def draw(count: int) -> None:
            vectors = rng.standard_normal((count, DIMENSION), np.float32)
            np.save(folder / "templates.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

        if kind == "sqlite":
            url = f"sqlite:///{folder / 'gallery.db'}"
            create_tables(url)
            draw(templates)
            fill_sqlite(folder, OLD)
            draw(searched)
            fill_sqlite(folder)
            yield url, np.load(folder / "templates.npy")[:1000]
            return
        with run_postgres() as url:
            create_tables(url)
            draw(searched)
            probes = np.load(folder / "templates.npy")[:1000]
            fill_postgres(url, folder)
            draw(templates)
            fill_postgres(url, folder, OLD)
            yield url, probes


async def measure(url: str, probes: NDArray[np.float32], seconds: float) -> tuple[list[float], list[float], float]:
    """Returns the times of searches before and during the deletion, in ms, and the seconds that it took."""
    from app.gallery import open_gallery

    gallery = await open_gallery(url)
    before: list[float] = []
    during: list[float] = []
    turn = 0

    async def search(times: list[float]) -> None:
        nonlocal turn
        turn += 1
        begun = time.perf_counter()
        await gallery.search("default", probes[turn % len(probes)], "0" * 64, 5)
        times.append((time.perf_counter() - begun) * 1000)
        await asyncio.sleep(PAUSE_S)

    for _ in range(20):
        await search([])
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        await search(before)
    begun = time.perf_counter()
    deletion = asyncio.ensure_future(gallery.delete_gallery(OLD))
    while not deletion.done():
        await search(during)
    deletion_s = time.perf_counter() - begun
    assert deletion.result().template_ids
    for _ in range(20):  # the first of these may do what the deletion left to do
        await search(during)
    await gallery.close()
    return before, during, deletion_s


def describe(times: list[float]) -> str:
    return f"{np.percentile(times, 50):.1f}, {np.percentile(times, 99):.1f}, {max(times):.0f}"


if __name__ == "__main__":
    typer.run(main)
