"""The figures of `make bench` as tables."""

from typing import Any

from rich.console import Console
from rich.table import Table

from model.runtime.forms import Engine


def print_networks(runs: list[dict[str, Any]], console: Console) -> None:
    """Prints ms per image, and the ratio to the faster of plain frozen torch and ONNX Runtime."""
    table = Table("network", "instructions", "threads", "batch", "frozen", "ONNX Runtime")
    for engine in Engine:
        table.add_column(f"served by {engine}")
        table.add_column("ratio")
    table.title = (
        f"ms per image on {runs[0]['processor']}; ratio: to the faster of frozen torch and ONNX Runtime (which uses "
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
    console.print(table)


def print_run(run: dict[str, Any], console: Console) -> None:
    """Prints the figures of one instruction set: GPU, bf16, stages, and the service."""
    instructions = run["instruction_set"]
    if gpu := run.get("gpu"):
        faces = ", ".join(f"{row['batch']}: {row['ms_a_face']:.2f}" for row in gpu["rows"])
        console.print(f"ms per face on {gpu['device']}, by batch size: {faces}")
    if run["bf16"]:
        faces = ", ".join(
            f"{row['batch']}: {row['ms']['bf16']:.2f} / {row['ms']['float32']:.2f}" for row in run["bf16"]
        )
        console.print(f"{instructions}, one thread, ms per face in bf16 / float32, by batch size: {faces}")
    stages = ", ".join(f"{stage} {ms:.2f}" for stage, ms in run["stages_ms"].items())
    console.print(f"{instructions}, one thread, ms per stage for one 250 x 250 photo: {stages}")
    for service in run["service"]:
        print_service(service, run, console)


def print_service(service: dict[str, Any], run: dict[str, Any], console: Console) -> None:
    """Prints throughput and latency at one precision, beside the pipeline without HTTP and face_recognition."""
    table = Table("route", "load", "answers per second", "p50, ms", "p95", "p99")
    table.title = f"{service['precision']}, {run['instruction_set']}"
    for row in service["rows"]:
        latencies = [f"{row[f'p{percent}_ms']:.1f}" for percent in (50, 95, 99)]
        table.add_row(row["path"], row["load"], f"{row['a_second']:.1f}", *latencies)
    console.print(table)
    pipeline = max(service["pipeline_pairs_a_second"])
    served = next(row for row in service["rows"] if (row["path"], row["load"]) == ("/verify", "32 clients"))
    console.print(
        f"The pipeline verifies {pipeline:.1f} pairs per second in one process without HTTP. The service reaches "
        f"{served['a_second'] / pipeline:.0%} of that with 32 clients."
    )
    peer = run["face_recognition"]
    if peer is None:
        console.print("face_recognition is not installed. `make bench` installs it.")
    else:
        ratio = served["a_second"] / peer["pairs_a_second"]
        console.print(
            f"face_recognition verifies {peer['pairs_a_second']:.2f} pairs per second in {peer['processes']} "
            f"processes. The service answers {ratio:.1f} times as many."
        )
