"""Where each photo's embedding should stay while a trained network learns to ignore what cameras and detectors do.

A network trained on millions of photos is pulled apart by a few thousand. The anchors hold it: the vector of an
augmented crop is drawn to where the starting network saw the clean one.
"""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F


class Embedder(Protocol):
    """What is asked of a network here: `embed` of model/encoder/network.py's SiameseEncoder."""

    def embed(self, pixels: Tensor) -> Tensor: ...


@torch.no_grad()
def anchors(
    encoder: Embedder, crops: NDArray[np.uint8], people: NDArray[np.int64], own: float, device: torch.device
) -> Tensor:
    """Unit vectors (N, D) for clean crops (N, S, S, 3): `own` parts of the photo's own vector, averaged with that of
    its mirror image, and 1 - `own` parts of the mean over its person's photos. `people` (N,) numbers them from 0."""
    halves = []
    for start in range(0, len(crops), 256):
        pixels = torch.from_numpy(crops[start : start + 256]).to(device).permute(0, 3, 1, 2).float()
        halves.append(encoder.embed(pixels) + encoder.embed(pixels.flip(3)))
    mine = F.normalize(torch.cat(halves), dim=1)
    number = torch.from_numpy(people).to(device)
    count = int(number.max()) + 1
    total = torch.zeros(count, mine.shape[1], device=device).index_add_(0, number, mine)
    photos = torch.bincount(number, minlength=count)
    theirs = (total / photos[:, None])[number]
    return F.normalize(own * mine + (1 - own) * theirs, dim=1)
