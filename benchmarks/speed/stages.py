"""The cost of each stage from photo to embedding, on one thread."""

from collections.abc import Sequence
from statistics import median
from typing import Final

import torch

from benchmarks.speed.timing import median_seconds
from model.detector.factory import open_detector
from model.encoder.bundle import Bundle
from model.images import decode_image
from model.liveness.bundle import load_liveness
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.photos import Photo

READING_STAGES: Final = ("decode", "detect", "align")


def measure_stages(bundle: Bundle, photos: Sequence[Photo]) -> dict[str, float]:
    """Returns the median milliseconds per photo of each of READING_STAGES, of `encode`, and of cutting a face out for
    the liveness networks and judging it, which the service does only if it is asked to."""
    torch.set_num_threads(1)
    reader = PhotoReader(
        open_detector(),
        bundle.metadata.template_array,
        bundle.metadata.crop_size,
        alignment=bundle.metadata.alignment,
    )
    files = [photo.read() for photo in photos]
    reader.read(files[0], FaceSelection.CENTRAL)  # warms up
    faces = [reader.read(file, FaceSelection.CENTRAL) for file in files]
    crop = faces[0].crop[None]
    reading = {stage: median(face.timings_ms[stage] for face in faces) for stage in READING_STAGES}
    judge = load_liveness()
    cut = judge.metadata.crop_rule.cut
    pixels, face = decode_image(files[0]), faces[0].face
    surroundings = cut(pixels, face)[None]
    return {
        **reading,
        "encode": median_seconds(lambda: bundle.encode(crop)) * 1000,
        "liveness_cut": median_seconds(lambda: cut(pixels, face)) * 1000,
        "liveness": median_seconds(lambda: judge.judge(surroundings)) * 1000,
    }
