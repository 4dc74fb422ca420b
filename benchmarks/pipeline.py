"""`make bench`: what each stage of one photo costs, and how near the encoder comes to this machine's matrix product.

Photos are LFW's, from FACETWIN_DATA, ../shared/data or data.
"""

import time
from collections.abc import Callable
from statistics import median

import torch
from rich.console import Console
from rich.table import Table

from model.bundle import find_bundle, load_bundle
from model.detection import open_detector
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.photos import data_folder, find_photos, lfw_photos
from training.provenance import machine

PHOTOS = 40
MATRIX = 2048


def seconds(work: Callable[[], object], repeats: int = 10) -> float:
    """The median time of one call, after two that warm up."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times[2:])


def main() -> None:
    console = Console()
    bundle = load_bundle(find_bundle("deploy"))
    metadata = bundle.metadata
    reader = PhotoReader(open_detector(), metadata.template_array, metadata.crop_size)
    photos = find_photos(lfw_photos(data_folder()))
    some = [photo.read() for photo in photos[:: len(photos) // PHOTOS]]
    reader.read(some[0], FaceSelection.CENTRAL)  # warms up
    seen = [reader.read(data, FaceSelection.CENTRAL) for data in some]
    stages = Table("stage", "ms a photo (median)", title=f"One 250 x 250 photo on {machine()}")
    for stage in ("decode", "detect", "align"):
        stages.add_row(stage, f"{median(each.ms[stage] for each in seen):.2f}")

    left, right = torch.randn(2, MATRIX, MATRIX)
    peak = 2 * MATRIX**3 / seconds(lambda: left @ right)
    table = Table("batch", "ms a face", "GFLOP/s", "of the matrix product", title=f"Encoder {metadata.name}")
    with torch.inference_mode():
        for batch in (1, 2, 8, 32):
            crops = torch.randint(0, 256, (batch, metadata.crop_size, metadata.crop_size, 3), dtype=torch.uint8)
            taken = seconds(lambda crops=crops: bundle.module(crops))  # type: ignore[misc]
            speed = batch * operations(bundle.module, crops[:1]) / taken
            table.add_row(str(batch), f"{taken / batch * 1000:.2f}", f"{speed / 1e9:.0f}", f"{speed / peak:.0%}")
        stages.add_row("encode (batch 1)", f"{seconds(lambda: bundle.module(crops[:1])) * 1000:.2f}")
    console.print(stages, table, f"Matrix product {MATRIX} x {MATRIX}, float32: {peak / 1e9:.0f} GFLOP/s")


def operations(module: torch.nn.Module, crop: torch.Tensor) -> float:
    """Floating-point operations for one crop, as torch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module(crop)
    return float(counter.get_total_flops())


if __name__ == "__main__":
    main()
