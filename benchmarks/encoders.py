"""`python -m benchmarks.encoders deploy fast ...`: what each encoder costs on one thread, and what it gives for that.

The accuracies are those inside the bundles; times are of one run, so compare them with each other only.
"""

from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.networks import operations, seconds
from model.encoder.bundle import Bundle, find_bundle, load_bundle
from training.provenance import machine

BATCHES = (1, 32)
FMRS = ("0.01", "0.001", "0.0001")


def main(bundles: Annotated[list[str], typer.Argument(help="Names or paths.")]) -> None:
    torch.set_num_threads(1)
    table = Table("encoder", "GMAC", "parameters", *(f"ms a face, batch {batch}" for batch in BATCHES))
    for fmr in FMRS:
        table.add_column(f"TAR at FMR {fmr}")
    table.title = f"Encoders on {machine()}; TAR on every pair of peopleDevTest"
    for bundle in map(load_bundle, map(find_bundle, bundles)):
        table.add_row(*_row(bundle))
    Console().print(table)


def _row(bundle: Bundle) -> list[str]:
    size = bundle.metadata.crop_size
    crops = torch.randint(0, 256, (max(BATCHES), size, size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        macs = operations(bundle.module, crops[:1]) / 2
        times = [seconds(lambda batch=batch: bundle.encode(crops[:batch].numpy())) / batch for batch in BATCHES]  # type: ignore[misc]
    parameters = sum(each.numel() for each in bundle.module.parameters())
    tars = (bundle.metadata.evaluation or {}).get("all_pairs", {}).get("tar_at_fmr", {})
    return [
        bundle.metadata.name,
        f"{macs / 1e9:.2f}",
        f"{parameters / 1e6:.1f} M",
        *(f"{taken * 1000:.1f}" for taken in times),
        *(f"{tars[fmr]['value']:.1%}" if fmr in tars else "-" for fmr in FMRS),
    ]


if __name__ == "__main__":
    typer.run(main)
