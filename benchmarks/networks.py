"""The encoder beside the same weights in ONNX Runtime and beside this machine's matrix product; the detector alone."""

import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import onnxruntime
import torch

from model.bundle import Bundle, Precision
from model.images import Pixels
from model.locator_bundle import LocatorBundle
from model.network import build_encoder

BATCHES: Final = (1, 2, 4, 8, 16, 32, 64)
MATRICES: Final = (1024, 2048, 4096)
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
            taken[name].append(seconds(work, 10))
    return {name: median(each) for name, each in taken.items()}


def matrix_product() -> float:
    """Operations a second of the best of square matrix products in 32 bits."""
    best = 0.0
    for size in MATRICES:
        left, right = torch.randn(2, size, size)
        best = max(best, 2 * size**3 / seconds(lambda left=left, right=right: left @ right, 7))  # type: ignore[misc]
    return best


def operations(module: torch.nn.Module, crop: torch.Tensor) -> float:
    """Floating-point operations for one crop, as torch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module(crop)
    return float(counter.get_total_flops())


def encoder_table(bundle: Bundle, threads: int) -> dict[str, Any]:
    """`rows`: of each batch, milliseconds a face here and in ONNX Runtime, and the share of the matrix product."""
    torch.set_num_threads(threads)
    size, peak = bundle.metadata.crop_size, matrix_product()
    rng = np.random.default_rng(0)
    work = operations(bundle.module, torch.zeros(1, size, size, 3, dtype=torch.uint8))
    has_half = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    half = replace(bundle, precision=Precision.BFLOAT16)
    rows = []
    for batch in BATCHES:
        crops = rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
        other = _onnx(bundle, batch, threads)
        difference = float(np.abs(other(crops) - bundle.encode(crops)).max())
        works = {"here": partial(bundle.encode, crops), "onnx": partial(other, crops)}
        taken = by_turns(works | ({"half": partial(half.encode, crops)} if has_half else {}))
        rows.append(
            {
                "batch": batch,
                "ms_a_face": taken["here"] / batch * 1000,
                "onnx_ms_a_face": taken["onnx"] / batch * 1000,
                "bf16_ms_a_face": taken["half"] / batch * 1000 if has_half else None,
                "of_onnx": taken["here"] / taken["onnx"],
                "of_matrix_product": batch * work / taken["here"] / peak,
                "largest_difference": difference,
            }
        )
    return {"threads": threads, "matrix_product_gflops": peak / 1e9, "gflop_a_face": work / 1e9, "rows": rows}


def detector_table(bundle: LocatorBundle, photo: Pixels, threads: int) -> dict[str, Any]:
    """Milliseconds a photo (H, W, 3) of the network with decoding, by photos looked at together."""
    torch.set_num_threads(threads)
    rows = []
    with torch.inference_mode():
        for batch in BATCHES:
            photos = torch.from_numpy(photo)[None].repeat(batch, 1, 1, 1)
            taken = seconds(lambda photos=photos: bundle.serving(photos, 0.5))  # type: ignore[misc]
            rows.append({"batch": batch, "ms_a_photo": taken / batch * 1000})
    return {"threads": threads, "side": photo.shape[0], "rows": rows}


def gpu_table(bundle: Bundle) -> dict[str, Any]:
    """The encoder on the GPU, its bundle loaded there: milliseconds a face, with the way there and back."""
    size, rows = bundle.metadata.crop_size, []
    for batch in BATCHES:
        crops = np.zeros((batch, size, size, 3), np.uint8)
        rows.append({"batch": batch, "ms_a_face": seconds(partial(bundle.encode, crops)) / batch * 1000})
    return {"device": torch.cuda.get_device_name(), "rows": rows}


def _onnx(bundle: Bundle, batch: int, threads: int) -> Callable[[Pixels], np.ndarray[Any, Any]]:
    """The same weights for one size of batch, which suits ONNX Runtime best."""
    chosen = bundle.metadata.architecture
    names = ("architecture", "embedding_dim", "width", "hidden", "dropout", "mirror", "side")
    options = {name: chosen[name] for name in names if name in chosen}
    encoder = build_encoder(crop_size=bundle.metadata.crop_size, **options)
    encoder.load_state_dict(bundle.module.state_dict())
    size = bundle.metadata.crop_size
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter of modules as they are is the older one, and says so
        file = str(Path(folder) / "encoder.onnx")
        zeros = torch.zeros(batch, size, size, 3, dtype=torch.uint8)
        torch.onnx.export(encoder.eval(), (zeros,), file, dynamo=False, input_names=["crops"])
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    return lambda crops: np.asarray(session.run(None, {"crops": crops})[0])
