"""`make bench`: how fast facetwin is on this machine, beside something else, in one run.

(1) both networks as they serve, beside ONNX Runtime and plain torch; (2) the service beside the pipeline in one
process; (3) face_recognition. Everything is measured with all instructions that the processor has and, where these
include AVX-512, again with AVX2 alone. Photos are LFW's, from FACETWIN_DATA, ../shared/data or data. Prints tables;
writes docs/reports/bench.json and docs/plots/bench.png.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.instruction_sets import measured, settings_to_measure
from model.runtime.forms import Engine
from training.provenance import git_commit, machine

REPORT: Final = Path("docs/reports/bench.json")
PLOT: Final = Path("docs/plots/bench.png")
console = Console(width=110)


def main(
    seconds: Annotated[float, typer.Option(help="Of each load on the service.")] = 10.0,
    report: Annotated[Path, typer.Option(help="Gets the figures.")] = REPORT,
    plot: Annotated[Path, typer.Option(help="Gets the picture.")] = PLOT,
) -> None:
    from benchmarks.plot import plot_bench

    commit = git_commit()  # of the code that is measured, whatever is written meanwhile
    runs = [
        measured("benchmarks.measurement", environment, "--seconds", str(seconds))
        for environment in settings_to_measure()
    ]
    console.print(network_table(runs))
    for run in runs:
        tell_service(run)
    figures = {"command": "make bench", "machine": machine(), "commit": commit, "runs": runs}
    report.write_text(json.dumps(figures, indent=1) + "\n")
    plot_bench(figures, plot)
    console.print(f"{report} and {plot} show the same.")


def network_table(runs: list[dict[str, Any]]) -> Table:
    """Milliseconds an image, and the share of the faster of ONNX Runtime and plain frozen torch."""
    table = Table("network", "instructions", "threads", "batch", "frozen", "ONNX Runtime")
    for engine in Engine:
        table.add_column(f"served by {engine}")
        table.add_column("ratio")
    table.title = (
        f"ms an image on {runs[0]['processor']}; ratio: to the faster of frozen torch and ONNX Runtime (which uses "
        "every instruction in all rows)"
    )
    for run in runs:
        for network in run["networks"]:
            for row in network["rows"]:
                served = [
                    cell
                    for engine in Engine
                    for cell in (f"{row['ms'][f'served_{engine}']:.2f}", f"{row['of_best'][engine]:.2f}")
                ]
                names = [network["network"], run["instruction_set"], str(network["threads"]), str(row["batch"])]
                table.add_row(*names, f"{row['ms']['frozen']:.2f}", f"{row['ms']['onnxruntime']:.2f}", *served)
    return table


def tell_service(figures: dict[str, Any]) -> None:
    instructions = figures["instruction_set"]
    if gpu := figures.get("gpu"):
        faces = ", ".join(f"{row['batch']}: {row['ms_a_face']:.2f}" for row in gpu["rows"])
        console.print(f"Milliseconds a face by batch on {gpu['device']}: {faces}")
    if figures["bf16"]:
        faces = ", ".join(
            f"{row['batch']}: {row['ms']['bf16']:.2f} of {row['ms']['float32']:.2f}" for row in figures["bf16"]
        )
        console.print(f"{instructions}, one thread, ms a face by batch in bf16 of those in float32: {faces}")
    stages = ", ".join(f"{stage} {taken:.2f}" for stage, taken in figures["stages_ms"].items())
    console.print(f"{instructions}, one thread, ms of one 250 x 250 photo: {stages}")
    peer = figures["face_recognition"]
    for service in figures["service"]:
        table = Table("route", "load", "answers a second", "p50, ms", "p95", "p99")
        table.title = f"{service['precision']}, {instructions}"
        for row in service["rows"]:
            times = [f"{row[f'p{percent}_ms']:.1f}" for percent in (50, 95, 99)]
            table.add_row(row["path"], row["load"], f"{row['a_second']:.1f}", *times)
        console.print(table)
        pipeline = max(service["pipeline_pairs_a_second"])
        served = next(row for row in service["rows"] if (row["path"], row["load"]) == ("/verify", "32 clients"))
        beside = "face_recognition is not installed: `make bench` installs it."
        if peer is not None:
            beside = (
                f"face_recognition, {peer['processes']} processes: {peer['pairs_a_second']:.2f} pairs a second; the "
                f"service answers {served['a_second'] / peer['pairs_a_second']:.1f} times as many."
            )
        console.print(
            f"The pipeline in one process verifies {pipeline:.1f} pairs a second; over HTTP, 32 clients get "
            f"{served['a_second'] / pipeline:.0%} of that. {beside}"
        )


if __name__ == "__main__":
    typer.run(main)
