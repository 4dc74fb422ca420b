"""`make bench`: how fast facetwin is on this machine, beside something else, in one run.

(1) the encoder beside ONNX Runtime and the machine's matrix product, the detector; (2) the service beside the pipeline
in one process; (3) other libraries. Photos are LFW's, from FACETWIN_DATA, ../shared/data or data. Prints tables; writes
docs/reports/bench.json and docs/plots/bench.png.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from app.settings import cores
from benchmarks.libraries import face_recognition_table
from benchmarks.networks import detector_table, encoder_table, gpu_table
from benchmarks.service import service_table
from benchmarks.stages import stage_table
from model.bundle import Precision, find_bundle, load_bundle
from model.images import decode_image
from model.locator_bundle import load_locator
from training.photos import data_folder, find_photos, lfw_photos
from training.provenance import git_commit, machine

REPORT: Final = Path("docs/reports/bench.json")
PLOT: Final = Path("docs/plots/bench.png")
PHOTOS: Final = 200
LOOKED_AT: Final = 128  # pixels a side, of the detector's first look
console = Console()


def main(
    seconds: Annotated[float, typer.Option(help="Of each load on the service.")] = 10.0,
    report: Annotated[Path, typer.Option(help="Gets the figures.")] = REPORT,
    plot: Annotated[Path, typer.Option(help="Gets the picture.")] = PLOT,
) -> None:
    from benchmarks.plot import plot_bench

    bundle, locator = load_bundle(find_bundle("deploy")), load_locator()
    every = find_photos(lfw_photos(data_folder()))
    photos = every[:: len(every) // PHOTOS]
    small = np.ascontiguousarray(decode_image(photos[0].read())[:LOOKED_AT, :LOOKED_AT])
    figures: dict[str, Any] = {"command": "make bench", "machine": machine(), "commit": git_commit(), "cores": cores()}
    for threads in (1, cores()):
        figures.setdefault("encoder", []).append(encoder_table(bundle, threads))
        figures.setdefault("detector", []).append(detector_table(locator, small, threads))
        tell_networks(figures["encoder"][-1], figures["detector"][-1])
    if torch.cuda.is_available():
        figures["gpu"] = gpu_table(load_bundle(find_bundle("deploy"), "cuda"))
        faces = ", ".join(f"{row['batch']}: {row['ms_a_face']:.2f}" for row in figures["gpu"]["rows"])
        console.print(f"Milliseconds a face by batch on {figures['gpu']['device']}: {faces}")
    figures["stages_ms"] = stage_table(bundle, photos)
    figures["service"] = [service_table(photos, seconds, precision) for precision in Precision]
    figures["face_recognition"] = face_recognition_table(photos, 3 * seconds)
    tell_service(figures)
    report.write_text(json.dumps(figures, indent=1) + "\n")
    plot_bench(figures, plot)
    console.print(f"{report} and {plot} show the same.")


def tell_networks(encoder: dict[str, Any], detector: dict[str, Any]) -> None:
    table = Table("batch", "encoder, ms a face", "ONNX Runtime", "of its time", "of the product", "bf16", "detector")
    table.title = f"{encoder['threads']} threads; matrix product {encoder['matrix_product_gflops']:.0f} GFLOP/s"
    for row, found in zip(encoder["rows"], detector["rows"], strict=True):
        table.add_row(
            str(row["batch"]),
            f"{row['ms_a_face']:.2f}",
            f"{row['onnx_ms_a_face']:.2f}",
            f"{row['of_onnx']:.2f}",
            f"{row['of_matrix_product']:.0%}",
            "-" if row["bf16_ms_a_face"] is None else f"{row['bf16_ms_a_face']:.2f}",
            f"{found['ms_a_photo']:.2f}",
        )
    console.print(table)


def tell_service(figures: dict[str, Any]) -> None:
    stages = ", ".join(f"{stage} {taken:.2f}" for stage, taken in figures["stages_ms"].items())
    console.print(f"Milliseconds of one 250 x 250 photo on one thread: {stages}")
    peer = figures["face_recognition"]
    for service in figures["service"]:
        table = Table("route", "load", "answers a second", "p50, ms", "p95", "p99", title=service["precision"])
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
