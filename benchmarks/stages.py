"""What each stage of one photo costs on one thread."""

from collections.abc import Sequence
from statistics import median
from typing import Final

import torch

from benchmarks.networks import seconds
from model.detector.orientation import open_detector
from model.encoder.bundle import Bundle
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.photos import Photo

STAGES: Final = ("decode", "detect", "align")


def stage_table(bundle: Bundle, photos: Sequence[Photo]) -> dict[str, float]:
    """Median milliseconds a photo."""
    torch.set_num_threads(1)
    reader = PhotoReader(open_detector(), bundle.metadata.template_array, bundle.metadata.crop_size)
    some = [photo.read() for photo in photos]
    reader.read(some[0], FaceSelection.CENTRAL)  # warms up
    seen = [reader.read(data, FaceSelection.CENTRAL) for data in some]
    crop = seen[0].crop[None]
    table = {stage: median(each.ms[stage] for each in seen) for stage in STAGES}
    return {**table, "encode": seconds(lambda: bundle.encode(crop)) * 1000}
