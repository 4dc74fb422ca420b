"""The Siamese head of Koch, Zemel, Salakhutdinov 2015, 'Siamese Neural Networks for One-shot Image Recognition'.

It is a logistic regression on the absolute differences of two images' features. The other recipes replace it by a
distance, which can be searched and calibrated.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.encoder.backbones import PaperNet


class PaperVerifier(nn.Module):
    """The paper's network (figure 4) with its head (section 3.1): p = sigmoid(sum_j alpha_j |h1_j - h2_j| + b).

    The bias b is not in the paper. Grey drawings have three equal channels.
    """

    SCALE: Final = 255.0

    def __init__(self, crop_size: int, width: float, hidden: int, dropout: float) -> None:
        super().__init__()
        # Without the last layer, the projection to an embedding, which is not in the paper.
        self.branch = nn.Sequential(*list(PaperNet(crop_size, 1, width, hidden, dropout))[:-1])
        self.weigh = nn.Linear(hidden, 1)
        self.apply(_init_weights)

    def forward(self, crops: Tensor) -> Tensor:
        """RGB crops, uint8 (B, S, S, 3) -> features (B, H), each 0..1."""
        return self.embed(crops.permute(0, 3, 1, 2).float())

    def embed(self, pixels: Tensor) -> Tensor:
        """RGB levels 0..255, float (B, 3, S, S) -> features (B, H). Training passes augmented batches here."""
        features: Tensor = self.branch(pixels / self.SCALE)
        return features.float()

    def pairwise_logits(self, first: Tensor, second: Tensor) -> Tensor:
        """Features (A, H) and (B, H) -> logits (A, B): the log odds that two images show the same class."""
        # Row by row: a tensor (A, B, H) would not fit in memory.
        rows = [self.weigh((row - second).abs())[:, 0] for row in first]
        return torch.stack(rows)


def _init_weights(layer: nn.Module) -> None:
    """Initialises convolutions as He et al. 2015 do, not as the paper does (section 3.2)."""
    if isinstance(layer, nn.Conv2d):
        assert layer.bias is not None
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)


class PairCrossEntropy(nn.Module):
    """The paper's loss, cross-entropy (section 3.2), over all pairs of a batch instead of one pair an image.

    Genuine and impostor pairs have half of the weight each, as in the paper, which draws equally many of both.
    """

    def __init__(self, verifier: PaperVerifier) -> None:
        super().__init__()
        self.pairwise_logits = verifier.pairwise_logits

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, H) and their classes (B,) -> the loss, a scalar."""
        logits = self.pairwise_logits(features, features)  # (B, B)
        same = labels[:, None] == labels[None, :]
        pairs = torch.ones_like(same).triu(diagonal=1)  # each pair once
        genuine, impostor = logits[same & pairs], logits[~same & pairs]
        ones, zeros = torch.ones_like(genuine), torch.zeros_like(impostor)
        return (
            F.binary_cross_entropy_with_logits(genuine, ones) + F.binary_cross_entropy_with_logits(impostor, zeros)
        ) / 2
