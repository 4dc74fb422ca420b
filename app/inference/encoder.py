"""Crops -> embeddings, behind a protocol that a Bundle fulfils; the service's only use of torch."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray


class FaceEncoder(Protocol):
    """Called from several threads at once."""

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Aligned RGB crops (B, S, S, 3) -> unit vectors (B, D)."""
        ...


def share_cores(cores: int, threads: int) -> None:
    """Divides the cores among this many threads. With as many threads as cores each computes alone, as in `training
    prepare`: then even the last bits of a landmark are the same."""
    torch.set_num_threads(max(cores // threads, 1))


def resolve_device(choice: str) -> str:
    """`auto` -> cuda where there is one, else cpu. Raises ValueError where cuda is asked for and absent."""
    available = torch.cuda.is_available()
    if choice == "cuda" and not available:
        raise ValueError("FACETWIN_DEVICE=cuda, but torch sees no CUDA device. Install its driver or choose auto.")
    return "cuda" if available and choice != "cpu" else "cpu"
