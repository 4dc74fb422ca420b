"""The contrastive loss (Hadsell, Chopra, LeCun 2006, 'Dimensionality Reduction by Learning an Invariant Mapping')."""

import torch
from torch import Tensor, nn

from training.config import LossConfig


class ContrastiveLoss(nn.Module):
    """Over every pair of a batch: d^2 for genuine pairs, max(0, margin - d)^2 for impostor pairs (equation 4 there,
    without the common factor 1/2), each kind averaged by itself so that the many impostors do not drown the genuine.

    `genuine_margin` leaves genuine pairs in peace that are nearer than that: max(0, d - genuine_margin)^2, as in dlib's
    metric loss; the paper's is 0. `hard`: only pairs on the wrong side of their margin enter the means, so that easy
    ones stop diluting the others.
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.margin = config.margin
        self.genuine_margin = config.genuine_margin
        self.hard = config.mining == "hard"
        self.genuine_weight = config.genuine_weight

    def forward(self, embeddings: Tensor, people: Tensor) -> Tensor:
        """Unit vectors (B, D) and the person of each (B,) -> the loss, a scalar."""
        similarity = embeddings @ embeddings.T  # (B, B)
        distance = (2.0 - 2.0 * similarity).clamp_min(1e-8).sqrt()
        same = people[:, None] == people[None, :]
        once = torch.ones_like(same).triu(diagonal=1)
        genuine = (distance[same & once] - self.genuine_margin).clamp_min(0).square()
        impostor = (self.margin - distance[~same & once]).clamp_min(0).square()
        if self.hard:
            genuine, impostor = genuine[genuine > 0], impostor[impostor > 0]
        return self.genuine_weight * _mean(genuine) + _mean(impostor)


def _mean(values: Tensor) -> Tensor:
    return values.sum() / max(values.numel(), 1)
