"""What the branches of a paired encoder say about crops, clean and degraded. It is computed once and kept.

The branches do not train, so their features are the same in every step; the layers over them train in minutes.
"""

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from model.encoder.paired import PairedBranches
from training.data.degradations import VERSION, degrade

CLEAN: Final = "clean"
BATCH: Final = 32  # crops
SEED: Final = 16  # of the degradations


@dataclass(frozen=True)
class CropSet:
    """Crops of one source: `crops` uint8 (N, S, S, 3), and the names of their photos. `label` names the files."""

    label: str
    names: Sequence[str]
    crops: NDArray[np.uint8]


class BranchFeatures:
    """Computes features, (N, FEATURES) float32, and keeps them in a folder."""

    def __init__(self, branches: PairedBranches, folder: Path, device: torch.device, bf16: bool) -> None:
        """`bf16`: whether the branches compute in bfloat16, as training does if its config says so."""
        # A copy: the caller may move the branches to another device.
        self._branches = deepcopy(branches).eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._folder, self._device, self._bf16 = folder, device, bf16
        self._weights = _digest([tensor.numpy(force=True) for tensor in branches.state_dict().values()])

    def compute(self, source: CropSet, kind: str = CLEAN) -> NDArray[np.float32]:
        """The features of the crops as they are, or after one of the degradations. Row i is that of names[i]."""
        content = _digest([source.crops, np.array(source.names), np.array([self._weights, kind, VERSION, self._bf16])])
        target = self._folder / f"{source.label}-{kind.replace(' ', '-')}-{content[:16]}.npy"
        if target.is_file():
            return np.load(target)  # type: ignore[no-any-return]
        features = self._run(source, kind)
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        with partial.open("wb") as stream:
            np.save(stream, features)
        partial.replace(target)
        return features

    @torch.inference_mode()
    def _run(self, source: CropSet, kind: str) -> NDArray[np.float32]:
        generator = torch.Generator().manual_seed(SEED)
        features = []
        for start in track(range(0, len(source.crops), BATCH), f"{source.label}, {kind}"):
            crops = torch.from_numpy(np.ascontiguousarray(source.crops[start : start + BATCH]))
            if kind != CLEAN:
                crops = degrade(crops, kind, generator)
            pixels = crops.to(self._device).permute(0, 3, 1, 2).float()
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
                features.append(self._branches(pixels).float().cpu().numpy())
        return np.concatenate(features)


def _digest(arrays: Sequence[NDArray[np.generic]]) -> str:
    hasher = hashlib.sha256()
    for array in arrays:
        hasher.update(repr((array.shape, array.dtype.str)).encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()
