"""Both networks as they are served, beside the plain frozen module and ONNX Runtime with the same weights."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import torch

from benchmarks.speed.timing import interleaved_median_seconds, median_seconds
from model.detector.bundle import DetectorBundle, script_maps
from model.encoder.bundle import MAX_CPU_BATCH, Bundle, Precision
from model.runtime.forms import Engine
from model.runtime.onnx_runtime import compile_onnx
from model.runtime.processor import has_bf16
from model.runtime.torchscript import freeze

BATCH_SIZES: Final = (1, 8, 32)
DETECTOR_SIDE: Final = 160  # pixels, of the search of a photo of up to 640 x 640


def count_flops(module: torch.nn.Module, images: torch.Tensor) -> float:
    """Returns the floating-point operations of one call, as torch's FlopCounterMode counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module(images)
    return float(counter.get_total_flops())


def measure_networks(bundle: Bundle, detector: DetectorBundle, threads: int) -> list[dict[str, Any]]:
    """Measures the encoder and the detector's first pass: ms per image for each batch size and form."""
    torch.set_num_threads(threads)
    encoders = [replace(bundle, engine=engine) for engine in Engine]
    detectors = [replace(detector, engine=engine) for engine in Engine]
    return [
        _measure_network("encoder", encoders, bundle.module, bundle.metadata.crop_size, threads),
        _measure_network("detector", detectors, script_maps(detector), DETECTOR_SIDE, threads),
    ]


def _measure_network(
    name: str,
    bundles: Sequence[Bundle] | Sequence[DetectorBundle],
    module: torch.jit.ScriptModule,
    side: int,
    threads: int,
) -> dict[str, Any]:
    """`bundles`: the same network with each engine; `module`: the network as exported."""
    frozen = freeze(module)
    rows = []
    with torch.inference_mode():
        for batch in BATCH_SIZES:
            images = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8)
            onnx = compile_onnx(module, images, ())  # for this one size: that is ONNX Runtime's fastest case
            works: dict[str, Callable[[], object]] = {
                "frozen": partial(frozen, images),
                "onnxruntime": partial(onnx, images),
            }
            for bundle in bundles:
                works[f"served_{bundle.engine}"] = partial(_run_as_served, bundle, images)
            ms = {name: taken * 1000 / batch for name, taken in interleaved_median_seconds(works).items()}
            best = min(ms["frozen"], ms["onnxruntime"])
            of_best = {engine: ms[f"served_{engine}"] / best for engine in Engine}
            rows.append({"batch": batch, "ms": ms, "of_best": of_best})
    return {"network": name, "threads": threads, "side": side, "rows": rows}


def _run_as_served(bundle: Bundle | DetectorBundle, images: torch.Tensor) -> object:
    """The encoder encodes at most MAX_CPU_BATCH faces at once; the detector reads a batch as it is."""
    parts = torch.split(images, MAX_CPU_BATCH) if isinstance(bundle, Bundle) else (images,)
    return [bundle.serving(part) for part in parts]


def measure_bf16(bundle: Bundle, threads: int) -> list[dict[str, Any]] | None:
    """Returns ms per face in float32 and with bfloat16 allowed; None on a processor without bfloat16."""
    if not has_bf16():
        return None
    torch.set_num_threads(threads)
    size, reduced = bundle.metadata.crop_size, replace(bundle, precision=Precision.BFLOAT16)
    rows = []
    for batch in BATCH_SIZES:
        crops = np.zeros((batch, size, size, 3), np.uint8)
        works = {"float32": partial(bundle.encode, crops), "bf16": partial(reduced.encode, crops)}
        seconds = interleaved_median_seconds(works)
        rows.append({"batch": batch, "ms": {name: each * 1000 / batch for name, each in seconds.items()}})
    return rows


def measure_gpu(bundle: Bundle) -> dict[str, Any]:
    """Returns ms per face of an encoder that was loaded on the GPU, transfers to and from it included."""
    size, rows = bundle.metadata.crop_size, []
    for batch in BATCH_SIZES:
        crops = np.zeros((batch, size, size, 3), np.uint8)
        rows.append({"batch": batch, "ms_a_face": median_seconds(partial(bundle.encode, crops)) / batch * 1000})
    return {"device": torch.cuda.get_device_name(), "rows": rows}
