"""`python -m benchmarks.measurement FILE`: what `make bench` measures, with the instructions allowed."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import torch
import typer

from app.settings import cores
from benchmarks.libraries import face_recognition_table
from benchmarks.networks import bf16_table, gpu_table, network_tables
from benchmarks.service import service_table
from benchmarks.stages import stage_table
from model.detector.bundle import load_locator
from model.encoder.bundle import Precision, find_bundle, load_bundle
from model.runtime.processor import has_bf16, instruction_set, processor_name
from training.data.photos import data_folder, find_photos, lfw_photos

PHOTOS: Final = 200


def main(file: Path, seconds: Annotated[float, typer.Option(help="Of each load on the service.")] = 10.0) -> None:
    bundle, locator = load_bundle(find_bundle("deploy")), load_locator()
    every = find_photos(lfw_photos(data_folder()))
    photos = every[:: len(every) // PHOTOS]
    figures: dict[str, Any] = {
        "processor": processor_name(),
        "instruction_set": instruction_set(),
        "cores": cores(),
        "networks": [table for threads in (1, cores()) for table in network_tables(bundle, locator, threads)],
        "bf16": bf16_table(bundle, 1),
    }
    if torch.cuda.is_available():
        figures["gpu"] = gpu_table(load_bundle(find_bundle("deploy"), "cuda"))
    figures["stages_ms"] = stage_table(bundle, photos)
    precisions = [Precision.FLOAT32, Precision.BFLOAT16] if has_bf16() else [Precision.FLOAT32]
    figures["service"] = [service_table(photos, seconds, precision) for precision in precisions]
    figures["face_recognition"] = face_recognition_table(photos, 3 * seconds)
    file.write_text(json.dumps(figures))


if __name__ == "__main__":
    typer.run(main)
