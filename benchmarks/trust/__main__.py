"""`make trust`: attacks the service and prints one table. Ends with 1 if a row failed.

Kinds of attack: damaged photos, strange and damaged requests, connections, faults of the gallery, processes that end,
leaks, memory, the API's description (schemathesis), and the supply chain (SBOM, pip-audit). Needs a few GiB of memory
and, for the whole of it with 1,000,000 damaged photos, several hours.
"""

import logging
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from benchmarks.trust.row import Options, Row

ATTACKS: Final = (
    "requests", "connections", "gallery_faults", "ended_processes", "leaks", "memory", "description", "supply_chain",
    "damaged_photos",
)  # fmt: skip


def main(
    inputs: Annotated[int, typer.Option(help="Damaged photos.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    only: Annotated[list[str] | None, typer.Option(help=f"Attacks to run: {', '.join(ATTACKS)}.")] = None,
    build: Annotated[Path, typer.Option(help="Folder for the SBOM and the logs of schemathesis.")] = Path("build"),
) -> None:
    from rich.console import Console

    from benchmarks.trust.row import Options, make_table
    from tests.support.postgres_server import run_server
    from training.provenance import describe_machine, git_commit

    # Of services in this process: what they log of the faults, and what their test client says of itself.
    logging.getLogger().addHandler(logging.NullHandler())
    warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
    console, start = Console(width=140), time.monotonic()
    chosen = only or list(ATTACKS)
    if unknown := set(chosen) - set(ATTACKS):
        raise typer.BadParameter(f"no such attack: {', '.join(sorted(unknown))}; choose of {', '.join(ATTACKS)}")
    build.mkdir(exist_ok=True)
    rows: list[Row] = []
    with TemporaryDirectory(prefix="trust-") as folder, run_server() as postgres:
        options = Options(inputs, seed, build, Path(folder), postgres)
        for name in chosen:
            for row in _rows(name, options):
                said = "".join(f"\n    {fault}" for fault in row.faults[:5])
                console.print(f"{time.monotonic() - start:6.0f} s  {row.verdict:11}  {row.kind}{said}", markup=False)
                rows.append(row)
    console.print(make_table(rows))
    console.print(
        f"{sum(row.inputs for row in rows):,} inputs, seed {seed}; "
        f"lost: {sum(row.lost or 0 for row in rows)}, leaked: {sum(row.leaked or 0 for row in rows)}. "
        f"{time.monotonic() - start:.0f} s on {describe_machine()}, commit {git_commit()}.",
        markup=False,
    )
    raise typer.Exit(any(row.verdict == "FAILED" for row in rows))


def _rows(name: str, options: "Options") -> "Iterator[Row]":
    """Yields what one attack finds. Only then are its libraries loaded. An attack that breaks off is a fault, too."""
    from importlib import import_module

    from benchmarks.trust.row import Row, faults_of

    broken_off = Row(name)
    with faults_of(broken_off):
        yield from import_module(f"benchmarks.trust.{name}").attack(options)
    if broken_off.faults:
        yield broken_off


if __name__ == "__main__":
    typer.run(main)
