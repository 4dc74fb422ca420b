"""Distillation targets: the embeddings that augmented crops should keep.

A network trained on millions of photos gets worse when it is fine-tuned on a few thousand. So training also pulls the
embedding of each augmented crop towards a target: the embedding of the clean crop by the initial network, or by the
bundle that is distilled.
"""

from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

BATCH: Final = 256  # crops


class Embedder(Protocol):
    """A network with the `embed` method of model/encoder/network.py's SiameseEncoder."""

    def embed(self, pixels: Tensor) -> Tensor:
        """RGB levels 0..255, float (B, 3, S, S) -> unit vectors (B, D)."""


@torch.no_grad()
def compute_targets(
    encoder: Embedder, crops: NDArray[np.uint8], labels: NDArray[np.int64], own_share: float, device: torch.device
) -> Tensor:
    """Unit vectors (N, D), on `device`, for clean RGB crops (N, S, S, 3) of the people with these labels (N,).

    Each is the weighted mean of the photo's own embedding, averaged with that of its mirror image, and of the mean over
    all photos of its person. `own_share` (0..1) is the weight of the photo's own.
    """
    sums = []
    for start in range(0, len(crops), BATCH):
        pixels = torch.from_numpy(crops[start : start + BATCH]).to(device).permute(0, 3, 1, 2).float()
        sums.append(encoder.embed(pixels) + encoder.embed(pixels.flip(3)))
    own = F.normalize(torch.cat(sums), dim=1)
    person = torch.from_numpy(labels).to(device)
    people = int(person.max()) + 1
    totals = torch.zeros(people, own.shape[1], device=device).index_add_(0, person, own)
    photos = torch.bincount(person, minlength=people)
    means = (totals / photos[:, None])[person]
    return F.normalize(own_share * own + (1 - own_share) * means, dim=1)
