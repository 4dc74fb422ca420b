"""What the branches of a paired encoder say about crops, clean and degraded. It is computed once a crop and kept.

The branches do not train, so their features are the same in every step, in every run and in every fold of View 2; the
layers over them train in minutes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from model.encoder.paired import SIZE
from model.runtime.forms import Form, Network, choose_fastest, compile_forms
from model.runtime.processor import has_bf16
from model.runtime.torchscript import BundleError, script
from training.data.degradations import VERSION, degrade
from training.data.prepared_faces import PreparedFaces
from training.encoder.paired.feature_store import FeatureStore

CLEAN: Final = "clean"
BATCH: Final = 8  # crops, as the service encodes on a CPU
GPU_BATCH: Final = 256
KEPT_AT_ONCE: Final = 1024  # crops, after which the features are written
SEED: Final = 16  # of the degradations
TOLERANCE: Final = 1e-3  # of the features, between the forms of the network


@dataclass(frozen=True)
class CropSet:
    """Crops of one source: `crops` uint8 (N, S, S, 3), and the names of their photos. `label` is for the progress."""

    label: str
    names: Sequence[str]
    crops: NDArray[np.uint8]


def crop_set(label: str, faces: PreparedFaces, rows: NDArray[np.int64]) -> CropSet:
    """These rows of prepared faces."""
    return CropSet(label, tuple(faces.names[row] for row in rows), faces.without_margin(rows))


class BranchFeatures:
    """Computes features, (N, FEATURES) float32, and keeps them in a folder."""

    def __init__(self, branches: nn.Module, folder: Path, device: torch.device, bf16: bool) -> None:
        """`bf16`: whether the branches compute in bfloat16, if the device is good at it."""
        # A copy: the caller may move the branches to another device.
        self._branches = deepcopy(branches).eval().to(device).to(memory_format=torch.channels_last)
        self._device = device
        self._bf16 = bf16 and (device.type != "cpu" or has_bf16())
        weights = [tensor.numpy(force=True) for tensor in branches.state_dict().values()]
        self._folder = folder / _digest([*weights, np.array([VERSION, SEED, self._bf16])])[:16]
        self._stores: dict[str, FeatureStore] = {}

    def compute(self, source: CropSet, kind: str = CLEAN) -> NDArray[np.float32]:
        """The features of the crops as they are, or after one of the degradations. Row i is that of crop i.

        They depend on the crop and the kind alone, not on the set or on the names.
        """
        keys = [hashlib.sha256(np.ascontiguousarray(crop).tobytes()).hexdigest()[:32] for crop in source.crops]
        store = self._stores.setdefault(kind, FeatureStore(self._folder / kind.replace(" ", "-")))
        known = store.load()
        missing = {key: row for row, key in enumerate(keys) if key not in known}  # equal crops count once
        todo = list(missing)
        for start in range(0, len(todo), KEPT_AT_ONCE):
            part = todo[start : start + KEPT_AT_ONCE]
            batches = self._run(source.crops, [missing[key] for key in part], part, kind, f"{source.label}, {kind}")
            store.add(part, np.concatenate(list(batches)))
        known = store.load()
        return np.stack([known[key] for key in keys])

    def _run(
        self, crops: NDArray[np.uint8], rows: list[int], keys: list[str], kind: str, title: str
    ) -> Iterator[NDArray[np.float32]]:
        size = BATCH if self._device.type == "cpu" else GPU_BATCH
        for start in track(range(0, len(rows), size), title):
            batch = torch.from_numpy(np.ascontiguousarray(crops[rows[start : start + size]]))
            if kind != CLEAN:
                batch = torch.cat(
                    [
                        degrade(crop[None], kind, torch.Generator().manual_seed(int(key[:12], 16) + SEED))
                        for crop, key in zip(batch, keys[start : start + size], strict=True)
                    ]
                )
            with torch.inference_mode():
                yield self._network(batch.to(self._device))[0].float().cpu().numpy()

    @cached_property
    def _network(self) -> Network:
        """The branches in the form that is fastest here, from uint8 crops (B, S, S, 3)."""
        network = _FromCrops(self._branches)
        if self._bf16 or self._device.type != "cpu":

            def run(crops: Tensor) -> tuple[Tensor, ...]:
                with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
                    return (network(crops),)

            return run
        example = torch.randint(0, 255, (BATCH, SIZE, SIZE, 3), dtype=torch.uint8)
        with torch.inference_mode():
            expected = network(example)

        def check(form: Form, compiled: Network) -> None:
            with torch.inference_mode():
                difference = float((compiled(example)[0] - expected).abs().max())
            if difference > TOLERANCE:
                raise BundleError(f"the form {form} of the branches differs by {difference:.2g}")

        return choose_fastest(compile_forms(script(network), example, (0,), fusable=True), check, [example])


class _FromCrops(nn.Module):
    """The branches, from crops as files hold them."""

    def __init__(self, branches: nn.Module) -> None:
        super().__init__()
        self.branches = branches

    def forward(self, crops: Tensor) -> Tensor:
        features: Tensor = self.branches(crops.permute(0, 3, 1, 2).float())
        return features


def _digest(arrays: Sequence[NDArray[np.generic]]) -> str:
    hasher = hashlib.sha256()
    for array in arrays:
        hasher.update(repr((array.shape, array.dtype.str)).encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()
