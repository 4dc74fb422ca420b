"""Koch, Zemel, Salakhutdinov 2015, 'Siamese Neural Networks for One-shot Image Recognition', as they trained it:
whether two images show the same is a logistic regression on the absolute differences of their features.

The other recipes keep the branches and put a metric in this head's place: a distance can be searched and calibrated.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.encoder.backbones import PaperNet


class PaperVerifier(nn.Module):
    """The paper's network, figure 4, and its head: p = sigmoid(sum_j alpha_j |h1_j - h2_j| + b) (section 3.1), the bias
    being ours. Drawings are grey: three equal channels."""

    SCALE: Final = 255.0

    def __init__(self, crop_size: int, width: float, hidden: int, dropout: float) -> None:
        super().__init__()
        # Without the projection to an embedding, which is not the paper's.
        self.branch = nn.Sequential(*list(PaperNet(crop_size, 1, width, hidden, dropout))[:-1])
        self.weigh = nn.Linear(hidden, 1)
        self.apply(_start)

    def forward(self, crops: Tensor) -> Tensor:
        """uint8 RGB crops (B, S, S, 3) -> features (B, H), each 0..1."""
        return self.embed(crops.permute(0, 3, 1, 2).float())

    def embed(self, pixels: Tensor) -> Tensor:
        """RGB levels 0..255 as float (B, 3, S, S) -> features (B, H): where augmented training batches enter."""
        features: Tensor = self.branch(pixels / self.SCALE)
        return features.float()

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """Features (A, H) and (B, H) -> the log odds (A, B) that they show the same."""
        rows = [self.weigh((row - second).abs())[:, 0] for row in first]  # one by one: (A, B, H) would be large
        return torch.stack(rows)


def _start(layer: nn.Module) -> None:
    """Not the paper's starting weights, section 3.2, but He's for its convolutions (He et al. 2015)."""
    if isinstance(layer, nn.Conv2d):
        assert layer.bias is not None
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)


class PairCrossEntropy(nn.Module):
    """The paper's loss, equation 1, over every pair of a batch instead of one pair an image: cross-entropy of the log
    odds, genuine and impostor pairs each weighing one half, as the paper drew them."""

    def __init__(self, verifier: PaperVerifier) -> None:
        super().__init__()
        self.compare = verifier.compare

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, H) and the class of each (B,) -> the loss, a scalar."""
        odds = self.compare(features, features)  # (B, B)
        same = labels[:, None] == labels[None, :]
        once = torch.ones_like(same).triu(diagonal=1)
        genuine, impostor = odds[same & once], odds[~same & once]
        ones, zeros = torch.ones_like(genuine), torch.zeros_like(impostor)
        return (
            F.binary_cross_entropy_with_logits(genuine, ones) + F.binary_cross_entropy_with_logits(impostor, zeros)
        ) / 2
