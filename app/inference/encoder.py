"""The encoder's protocol, which Bundle implements, and torch's devices and threads: the service's only use of torch."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from model.encoder.encoding import Encoding


class FaceEncoder(Protocol):
    """Computes embeddings. Several threads call it at once."""

    def encode(self, crops: NDArray[np.uint8]) -> Encoding:
        """Encodes aligned RGB crops (B, S, S, 3)."""
        ...


def limit_torch_threads(cores: int, threads: int) -> None:
    """Divides the cores among `threads` threads that run networks.

    With as many threads as cores, each network runs on one thread, as in `training prepare`: landmarks are then
    bit-identical (with the engine torchscript).
    """
    torch.set_num_threads(max(cores // threads, 1))


def resolve_device(choice: str) -> str:
    """Returns `cuda` or `cpu`. `auto` chooses cuda if torch finds a device. Raises ValueError for an absent cuda."""
    available = torch.cuda.is_available()
    if choice == "cuda" and not available:
        raise ValueError("FACETWIN_DEVICE=cuda, but torch finds no CUDA device. Install the driver or choose auto.")
    return "cuda" if available and choice != "cpu" else "cpu"


def describe_gpu() -> str:
    """Name of the GPU in use, and the version of CUDA that torch was built for."""
    return f"{torch.cuda.get_device_name()}, torch for CUDA {torch.version.cuda}"


def keep_float32(device: str) -> None:
    """Switches TF32 off, if the networks run on `cuda`."""
    if device == "cuda":
        # By default cuDNN rounds the inputs of convolutions to TF32's 10 bits. Embeddings then differ from the golden
        # ones by about 1e-3, and the self-check refuses the GPU: its tolerance of 1e-4 needs float32.
        torch.backends.cudnn.allow_tf32 = False
