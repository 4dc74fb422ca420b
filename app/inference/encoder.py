"""Crops -> embeddings, behind a protocol; the service's only use of torch."""

import os
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from model.bundle import Bundle, BundleMetadata


class FaceEncoder(Protocol):
    """Called from several threads at once."""

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Aligned RGB crops (B, S, S, 3) -> unit vectors (B, D)."""
        ...


class TorchEncoder:
    """A loaded bundle as FaceEncoder."""

    def __init__(self, bundle: Bundle) -> None:
        self._module = bundle.module
        self._device = next(iter(bundle.module.state_dict().values())).device
        self.metadata: BundleMetadata = bundle.metadata

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            vectors: torch.Tensor = self._module(torch.from_numpy(crops).to(self._device))
            return vectors.cpu().numpy()


def share_cores(requests: int) -> None:
    """Divides the processor's cores among this many requests at once. With as many requests as cores each runs on one
    thread, as `training prepare` does: then even the last bits of a landmark are the same."""
    torch.set_num_threads(max((os.cpu_count() or 1) // requests, 1))


def resolve_device(choice: str) -> str:
    """`auto` -> cuda where there is one, else cpu. Raises ValueError where cuda is asked for and absent."""
    available = torch.cuda.is_available()
    if choice == "cuda" and not available:
        raise ValueError("FACETWIN_DEVICE=cuda, but torch sees no CUDA device. Install its driver or choose auto.")
    return "cuda" if available and choice != "cpu" else "cpu"
