"""The contrastive loss (Hadsell, Chopra, LeCun 2006, 'Dimensionality Reduction by Learning an Invariant Mapping')."""

import torch
from torch import Tensor, nn

from training.config import LossConfig


class ContrastiveLoss(nn.Module):
    """The loss over all pairs of a batch: d^2 for genuine pairs, max(0, margin - d)^2 for impostor pairs.

    This is the paper's equation 4 without the factor 1/2. Genuine and impostor pairs are averaged separately, because
    there are many more impostor pairs. With a `genuine_margin`, genuine pairs cost max(0, d - genuine_margin)^2, as in
    dlib's metric loss; the paper has none. With hard mining, only pairs on the wrong side of their margin enter the
    means, so that easy pairs do not dilute the others.
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.margin = config.margin
        self.genuine_margin = config.genuine_margin
        self.hard = config.mining == "hard"
        self.genuine_weight = config.genuine_weight

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Unit vectors (B, D) and the labels of their people (B,) -> the loss, a scalar."""
        similarity = embeddings @ embeddings.T  # (B, B)
        distance = (2.0 - 2.0 * similarity).clamp_min(1e-8).sqrt()
        same = labels[:, None] == labels[None, :]
        pairs = torch.ones_like(same).triu(diagonal=1)  # each pair once
        genuine = (distance[same & pairs] - self.genuine_margin).clamp_min(0).square()
        impostor = (self.margin - distance[~same & pairs]).clamp_min(0).square()
        if self.hard:
            genuine, impostor = genuine[genuine > 0], impostor[impostor > 0]
        return self.genuine_weight * _mean(genuine) + _mean(impostor)


def _mean(values: Tensor) -> Tensor:
    return values.sum() / max(values.numel(), 1)
