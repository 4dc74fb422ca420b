"""Both networks as they serve, beside the plain frozen module and beside the same weights in ONNX Runtime."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any, Final

import numpy as np
import torch

from model.detector.bundle import LocatorBundle, maps_of
from model.encoder.bundle import IN_CACHE, Bundle, Precision
from model.runtime.forms import Engine
from model.runtime.onnx_runtime import compile_onnx
from model.runtime.processor import has_bf16
from model.runtime.torchscript import freeze

BATCHES: Final = (1, 8, 32)
LOOKED_AT: Final = 128  # pixels a side, of the detector's first look
REPEATS: Final = 15


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The median time of one call, after three that warm up."""
    taken = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return median(taken[3:])


def by_turns(works: Mapping[str, Callable[[], object]], turns: int = 3) -> dict[str, float]:
    """The median of several, each in blocks of its own, with a pause before each: the threads of the other would still
    spin, waiting for work, and take its cores."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(turns):
        for name, work in works.items():
            time.sleep(0.3)
            taken[name].append(seconds(work, 5))
    return {name: median(each) for name, each in taken.items()}


def operations(module: torch.nn.Module, crop: torch.Tensor) -> float:
    """Floating-point operations for one crop, as torch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module(crop)
    return float(counter.get_total_flops())


def network_tables(bundle: Bundle, locator: LocatorBundle, threads: int) -> list[dict[str, Any]]:
    """The encoder and the detector's maps: milliseconds an image as they serve (with each engine), frozen, and in ONNX
    Runtime, for each batch."""
    torch.set_num_threads(threads)
    size = bundle.metadata.crop_size
    return [
        _network_table("encoder", [replace(bundle, engine=engine) for engine in Engine], bundle.module, size, threads),
        _network_table(
            "detector", [replace(locator, engine=engine) for engine in Engine], maps_of(locator), LOOKED_AT, threads
        ),
    ]


def _network_table(
    name: str,
    bundles: Sequence[Bundle] | Sequence[LocatorBundle],
    module: torch.jit.ScriptModule,
    side: int,
    threads: int,
) -> dict[str, Any]:
    frozen = freeze(module)
    with torch.inference_mode():
        rows = []
        for batch in BATCHES:
            images = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8)
            # For this one size, which suits ONNX Runtime best.
            onnx = compile_onnx(module, images, ())
            works: dict[str, Callable[[], object]] = {
                "frozen": partial(frozen, images),
                "onnxruntime": partial(onnx, images),
            }
            for bundle in bundles:
                works[f"served_{bundle.engine}"] = partial(_serve, bundle, images)
            taken = {work: seconds * 1000 / batch for work, seconds in by_turns(works).items()}
            best = min(taken["frozen"], taken["onnxruntime"])
            of_best = {engine: taken[f"served_{engine}"] / best for engine in Engine}
            rows.append({"batch": batch, "ms": taken, "of_best": of_best})
    return {"network": name, "threads": threads, "side": side, "rows": rows}


def _serve(bundle: Bundle | LocatorBundle, images: torch.Tensor) -> object:
    return [bundle.serving(part) for part in torch.split(images, IN_CACHE)]


def bf16_table(bundle: Bundle, threads: int) -> list[dict[str, Any]] | None:
    """Milliseconds a face in float32 and where bfloat16 is allowed; None where the processor cannot."""
    if not has_bf16():
        return None
    torch.set_num_threads(threads)
    size, reduced = bundle.metadata.crop_size, replace(bundle, precision=Precision.BFLOAT16)
    rows = []
    for batch in BATCHES:
        crops = np.zeros((batch, size, size, 3), np.uint8)
        taken = by_turns({"float32": partial(bundle.encode, crops), "bf16": partial(reduced.encode, crops)})
        rows.append({"batch": batch, "ms": {name: each * 1000 / batch for name, each in taken.items()}})
    return rows


def gpu_table(bundle: Bundle) -> dict[str, Any]:
    """The encoder on the GPU, its bundle loaded there: milliseconds a face, with the way there and back."""
    size, rows = bundle.metadata.crop_size, []
    for batch in BATCHES:
        crops = np.zeros((batch, size, size, 3), np.uint8)
        rows.append({"batch": batch, "ms_a_face": seconds(partial(bundle.encode, crops)) / batch * 1000})
    return {"device": torch.cuda.get_device_name(), "rows": rows}
