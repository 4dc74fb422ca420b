"""The figures of `make bench-gallery` as a table and a plot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from training.evaluation.plots import BLUE, GREY, ORANGE

LINES = ((BLUE, "-"), (BLUE, "--"), (ORANGE, "-"), (GREY, "-"))


def print_stores(rows: list[dict[str, Any]], console: Console) -> None:
    titles = ("store", "templates", "p50, ms", "p99, ms", "recall, enrolled", "recall, strangers", "MiB", "start, s")
    table = Table(*titles, "enrollments per second", "time / bare query")
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


def plot_stores(rows: list[dict[str, Any]], stores: Sequence[str], machine: str, target: Path) -> None:
    """Plots the search time (left) and the memory (right) of each store by the number of templates."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for store, (colour, style) in zip(stores, LINES, strict=True):
        own = [row for row in rows if row["kind"] == store]
        sizes = [row["templates"] for row in own]
        left.loglog(sizes, [row["p50_ms"] for row in own], f"o{style}", color=colour, label=store)
        right.loglog(sizes, [row["mib"] for row in own], f"o{style}", color=colour, label=store)
    left.set(xlabel="templates", ylabel="ms", title="search, p50")
    right.set(xlabel="templates", ylabel="MiB", title="memory of the process (without PostgreSQL's own)")
    for axes in (left, right):
        axes.grid(True, which="both", alpha=0.25)
        axes.legend(frameon=False)
    figure.suptitle(machine, fontsize=9, color=GREY)
    figure.savefig(target, dpi=110)
