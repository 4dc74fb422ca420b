"""`make bench-gallery`: galleries of a thousand to a million templates, embedded and in PostgreSQL, beside libraries.

Embeddings are drawn as those of real people lie (benchmarks/population.py). Half of the probes are other photos of
people enrolled, half show strangers; recall is how often the best template is that of an exact search. Prints a table;
writes docs/reports/gallery.json and docs/plots/gallery.png.
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import psycopg
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pgvector.psycopg import register_vector
from rich.console import Console
from rich.table import Table

from app.gallery import open_gallery
from app.settings import cores
from benchmarks.gallery_child import ENCODER
from benchmarks.population import Population, real_population
from tests.support.postgres_server import postgres
from training.evaluation.plots import BLUE, GREY, ORANGE
from training.provenance import git_commit, machine

REPORT, PLOT = Path("docs/reports/gallery.json"), Path("docs/plots/gallery.png")
SIZES: Final = [1_000, 10_000, 100_000, 1_000_000]
PROBES: Final = 1000  # of each kind
CHUNK: Final = 50_000
AT: Final = "2026-01-01 00:00:00.000000"
KINDS: Final = ("facetwin, SQLite", "facetwin, PostgreSQL", "faiss flat", "usearch")
console = Console()


def main(
    sizes: Annotated[list[int], typer.Option(help="Templates; may be given several times.")] = SIZES,
    build: Annotated[Path, typer.Option(help="Where crops are kept.")] = Path("build"),
) -> None:
    population, rows = real_population(build), []
    for size in sorted(sizes):
        with tempfile.TemporaryDirectory(prefix="fg-") as folder:
            best = draw(population, size, Path(folder))
            for kind in KINDS:
                console.print(f"{kind}, {size:,} templates ...")
                told = measured(kind, Path(folder))
                right = np.array(told.pop("best")) == best
                recalls = {"recall_mated": right[:PROBES].mean(), "recall_unmated": right[PROBES:].mean()}
                rows.append({"kind": kind, "templates": size, **told, **{k: float(v) for k, v in recalls.items()}})
    tell(rows)
    figures = {"command": "make bench-gallery", "machine": machine(), "commit": git_commit(), "cores": cores()}
    REPORT.write_text(json.dumps({**figures, "probes": 2 * PROBES, "rows": rows}, indent=1) + "\n")
    plot(rows, f"{figures['machine']}, {cores()} cores")
    console.print(f"{REPORT} and {PLOT} show the same.")


def draw(population: Population, size: int, folder: Path) -> NDArray[np.int64]:
    """Writes templates and probes; the row of the best template for each probe, by an exact search."""
    rng = np.random.default_rng(size)
    vectors = np.lib.format.open_memmap(folder / "templates.npy", "w+", np.float32, (size, len(population.mean)))
    people = np.empty_like(vectors, subok=False)
    for first in range(0, size, CHUNK):
        some = population.people(min(CHUNK, size - first), rng)
        people[first : first + CHUNK], vectors[first : first + CHUNK] = some, population.photos(some, rng)
    vectors.flush()
    mated = population.photos(people[rng.choice(size, PROBES, replace=size < PROBES)], rng)
    strangers = population.photos(population.people(PROBES, rng), rng)
    probes = np.concatenate([mated, strangers])
    np.save(folder / "probes.npy", probes)
    best, similarity = np.zeros(len(probes), np.int64), np.full(len(probes), -2.0, np.float32)
    for first in range(0, size, CHUNK):
        scores = probes @ vectors[first : first + CHUNK].T
        rows = scores.argmax(axis=1)
        highest = scores[np.arange(len(probes)), rows]
        best = np.where(highest > similarity, first + rows, best)
        similarity = np.maximum(highest, similarity)
    return best


def measured(kind: str, folder: Path) -> dict[str, Any]:
    if kind == "facetwin, SQLite":
        url = f"sqlite:///{folder / 'gallery.db'}"
        prepare(url)
        fill_sqlite(folder)
        return child(kind, folder, url)
    if kind == "facetwin, PostgreSQL":
        with postgres() as url:
            prepare(url)
            built = fill_postgres(url, folder)
            return {**child(kind, folder, url), **built}
    return child(kind, folder)


def child(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.gallery_child", *map(str, arguments)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(answer.stdout)
    return told


def prepare(url: str) -> None:
    """Makes the tables."""

    async def once() -> None:
        await (await open_gallery(url)).close()

    asyncio.run(once())


def fill_sqlite(folder: Path) -> None:
    vectors = np.load(folder / "templates.npy", mmap_mode="r")
    with closing(sqlite3.connect(folder / "gallery.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO identities VALUES ('default', ?, '{}', ?)", ((f"p{row}", AT) for row in range(len(vectors)))
        )
        connection.executemany(
            "INSERT INTO templates (template_id, gallery, identity, encoder_id, detector, quality, vector, created_at) "
            "VALUES (?, 'default', ?, ?, 'drawn', 0.5, ?, ?)",
            ((f"{row:032x}", f"p{row}", ENCODER, vector.tobytes(), AT) for row, vector in enumerate(vectors)),
        )


def fill_postgres(url: str, folder: Path) -> dict[str, float]:
    """As an operator would who moves many templates: the index last. How long that takes, and its size."""
    vectors = np.load(folder / "templates.npy", mmap_mode="r")
    with psycopg.connect(url, autocommit=True) as connection:
        register_vector(connection)
        (index,) = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'templates_by_vector'"
        ).fetchone() or ("",)
        connection.execute("DROP INDEX templates_by_vector")
        with connection.cursor().copy("COPY identities FROM STDIN") as copy:
            for row in range(len(vectors)):
                copy.write_row(("default", f"p{row}", "{}", AT))
        columns = "template_id, gallery, identity, encoder_id, detector, quality, vector, created_at"
        with connection.cursor().copy(f"COPY templates ({columns}) FROM STDIN") as copy:
            for row, vector in enumerate(vectors):
                copy.write_row((f"{row:032x}", "default", f"p{row}", ENCODER, "drawn", 0.5, np.array(vector), AT))
        connection.execute("INSERT INTO holdings VALUES ('default', %s, 'drawn', %s)", (ENCODER, len(vectors)))
        connection.execute("SET maintenance_work_mem = '1500MB'")
        start = time.perf_counter()
        connection.execute(index.encode())
        built = time.perf_counter() - start
        connection.execute("VACUUM ANALYZE")
        (size,) = connection.execute("SELECT pg_relation_size('templates_by_vector')").fetchone() or (0,)
    return {"index_built_s": built, "index_mib": size / 2**20}


def tell(rows: list[dict[str, Any]]) -> None:
    titles = ("store", "templates", "p50, ms", "p99, ms", "recall, enrolled", "recall, strangers", "MiB", "start, s")
    table = Table(*titles, "enrolled a second", "of the bare query")
    for row in rows:
        enrolled, bare = row.get("enrolled_a_second"), row.get("of_bare")
        table.add_row(
            row["kind"],
            f"{row['templates']:,}",
            f"{row['p50_ms']:.2f}",
            f"{row['p99_ms']:.2f}",
            f"{row['recall_mated']:.4f}",
            f"{row['recall_unmated']:.4f}",
            f"{row['mib']:.0f}",
            f"{row['start_s']:.2f}",
            "" if enrolled is None else f"{enrolled:.0f}",
            "" if bare is None else f"{bare:.2f}",
        )
    console.print(table)


def plot(rows: list[dict[str, Any]], machine_name: str) -> None:
    """Left: how long a search takes, by templates. Right: memory."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for kind, colour, style in zip(KINDS, (BLUE, BLUE, ORANGE, GREY), ("-", "--", "-", "-"), strict=True):
        mine = [row for row in rows if row["kind"] == kind]
        sizes = [row["templates"] for row in mine]
        left.loglog(sizes, [row["p50_ms"] for row in mine], f"o{style}", color=colour, label=kind)
        right.loglog(sizes, [row["mib"] for row in mine], f"o{style}", color=colour, label=kind)
    left.set(xlabel="templates", ylabel="ms", title="search, p50")
    right.set(xlabel="templates", ylabel="MiB", title="memory of the process (PostgreSQL's own not counted)")
    for axes in (left, right):
        axes.grid(True, which="both", alpha=0.25)
        axes.legend(frameon=False)
    figure.suptitle(machine_name, fontsize=9, color=GREY)
    figure.savefig(PLOT, dpi=110)


if __name__ == "__main__":
    typer.run(main)
