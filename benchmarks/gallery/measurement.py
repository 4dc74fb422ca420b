"""Every store at every size of gallery: each is filled, then measured in a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from app.cores import count_cores
from benchmarks.gallery.dataset import PROBES, write_dataset
from benchmarks.gallery.fill import create_tables, fill_postgres, fill_sqlite
from benchmarks.gallery.population import fit_lfw_population
from benchmarks.gallery.report import plot_stores, print_stores
from tests.support.postgres_server import run_postgres
from training.provenance import describe_machine, git_commit

REPORT, PLOT = Path("docs/reports/gallery.json"), Path("docs/plots/gallery.png")
SQLITE, POSTGRES = "facetwin, SQLite", "facetwin, PostgreSQL"
STORES: Final = (SQLITE, POSTGRES, "faiss flat", "usearch")


def measure_galleries(sizes: Sequence[int], build: Path) -> None:
    """Measures every store at every size; writes docs/reports/gallery.json and docs/plots/gallery.png."""
    console = Console()
    population, rows = fit_lfw_population(build), []
    for size in sorted(sizes):
        with tempfile.TemporaryDirectory(prefix="fg-") as folder:
            exact = write_dataset(population, size, Path(folder))
            for store in STORES:
                console.print(f"{store}, {size:,} templates ...")
                figures = measure_store(store, Path(folder))
                correct = np.array(figures.pop("best")) == exact
                recalls = {
                    "recall_mated": float(correct[:PROBES].mean()),
                    "recall_unmated": float(correct[PROBES:].mean()),
                }
                rows.append({"kind": store, "templates": size, **figures, **recalls})
    print_stores(rows, console)
    report = {
        "command": "make bench-gallery",
        "machine": describe_machine(),
        "commit": git_commit(),
        "cores": count_cores(),
    }
    REPORT.write_text(json.dumps({**report, "probes": 2 * PROBES, "rows": rows}, indent=1) + "\n")
    plot_stores(rows, STORES, f"{describe_machine()}, {count_cores()} cores", PLOT)
    console.print(f"Wrote {REPORT} and {PLOT}.")


def measure_store(store: str, folder: Path) -> dict[str, Any]:
    """Fills the store with the templates in `folder` and measures it in a process of its own."""
    if store == SQLITE:
        url = f"sqlite:///{folder / 'gallery.db'}"
        create_tables(url)
        fill_sqlite(folder)
        return _measure_in_child(store, folder, url)
    if store == POSTGRES:
        with run_postgres() as url:
            create_tables(url)
            index = fill_postgres(url, folder)
            return {**_measure_in_child(store, folder, url), **index}
    return _measure_in_child(store, folder)


def _measure_in_child(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.gallery.child", *map(str, arguments)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    figures: dict[str, Any] = json.loads(output)
    return figures
