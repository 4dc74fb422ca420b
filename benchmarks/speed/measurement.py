"""`python -m benchmarks.speed.measurement FILE`: what `make bench` measures with one instruction set. Writes JSON."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import torch
import typer

from app.cores import count_cores
from benchmarks.service.photos import select_photos
from benchmarks.service.throughput import measure_service
from benchmarks.speed.face_recognition_peer import measure_face_recognition
from benchmarks.speed.networks import measure_bf16, measure_gpu, measure_networks
from benchmarks.speed.stages import measure_stages
from model.detector.bundle import load_detector
from model.encoder.bundle import Precision, find_bundle, load_bundle
from model.runtime.processor import has_bf16, instruction_set, processor_name

PHOTOS: Final = 200


def main(
    file: Path, seconds: Annotated[float, typer.Option(help="Length of each load on the service.")] = 10.0
) -> None:
    bundle, detector = load_bundle(find_bundle("deploy")), load_detector()
    photos = select_photos(PHOTOS)
    figures: dict[str, Any] = {
        "processor": processor_name(),
        "instruction_set": instruction_set(),
        "cores": count_cores(),
        "networks": [row for threads in (1, count_cores()) for row in measure_networks(bundle, detector, threads)],
        "bf16": measure_bf16(bundle, 1),
    }
    if torch.cuda.is_available():
        figures["gpu"] = measure_gpu(load_bundle(find_bundle("deploy"), "cuda"))
    figures["stages_ms"] = measure_stages(bundle, photos)
    precisions = [Precision.FLOAT32, Precision.BFLOAT16] if has_bf16() else [Precision.FLOAT32]
    figures["service"] = [measure_service(photos, seconds, precision) for precision in precisions]
    figures["face_recognition"] = measure_face_recognition(photos, 3 * seconds)
    file.write_text(json.dumps(figures))


if __name__ == "__main__":
    typer.run(main)
