"""A table of encoders: their cost on one thread, and the accuracy that their bundles state."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.speed.networks import count_flops
from benchmarks.speed.timing import median_seconds
from model.encoder.bundle import Bundle, find_bundle, load_bundle
from training.provenance import describe_machine

BATCH_SIZES: Final = (1, 32)
FMRS: Final = ("0.01", "0.001", "0.0001")


def print_encoders(bundles: Sequence[str]) -> None:
    """Prints a table of shipped bundles, by name, and of others, by path."""
    torch.set_num_threads(1)
    table = Table("encoder", "GMAC", "parameters", *(f"ms per face, batch {batch}" for batch in BATCH_SIZES))
    for fmr in FMRS:
        table.add_column(f"TAR at FMR {fmr}")
    table.title = f"Encoders on {describe_machine()}; TAR on every pair of peopleDevTest"
    for bundle in map(load_bundle, map(find_bundle, bundles)):
        table.add_row(*measure_encoder(bundle))
    Console(width=110).print(table)


def measure_encoder(bundle: Bundle) -> list[str]:
    """Returns the cells of one row."""
    size = bundle.metadata.crop_size
    crops = torch.randint(0, 256, (max(BATCH_SIZES), size, size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        macs = count_flops(bundle.module, crops[:1]) / 2  # a multiply-accumulate is two operations
        times = [median_seconds(partial(bundle.encode, crops[:batch].numpy())) / batch for batch in BATCH_SIZES]
    parameters = sum(each.numel() for each in bundle.module.parameters())
    tars = (bundle.metadata.evaluation or {}).get("all_pairs", {}).get("tar_at_fmr", {})
    return [
        bundle.metadata.name,
        f"{macs / 1e9:.2f}",
        f"{parameters / 1e6:.1f} M",
        *(f"{seconds * 1000:.1f}" for seconds in times),
        *(f"{tars[fmr]['value']:.1%}" if fmr in tars else "-" for fmr in FMRS),
    ]
