"""The network of Open Model Zoo's face-reidentification-retail-0095 (Intel).

Inverted residuals (Sandler et al. 2018, 'MobileNetV2') with squeeze-and-excitation (Hu, Shen, Sun 2018) and one PReLU
slope a layer. Batch normalization is folded into the weights, which `training/encoder/weights/retail_weights.py` reads.
"""

from typing import Final

from torch import Tensor, nn

# Of each inverted residual: channels between its two 1x1 convolutions, channels after it, and stride.
RESIDUALS: Final = (
    (128, 64, 2),
    *[(128, 64, 1)] * 4,
    (256, 128, 2),
    *[(256, 128, 1)] * 6,
    (512, 128, 2),
    *[(256, 128, 1)] * 2,
)


class Retail0095(nn.Sequential):
    """Crops (B, 3, SIZE, SIZE), RGB as (value - MEAN) / SCALE -> embeddings (B, DIM), not normalized.

    The file's scale differs by channel; the reader folds it into the first convolution.
    """

    SIZE = 128  # pixels a side of a crop
    DIM = 256  # of an embedding
    MEAN = (1.5302734375 / 0.018646240234375, 1.4453125 / 0.0213623046875, 0.92626953125 / 0.014373779296875)
    SCALE = 64.0

    def __init__(self) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(3, 64, 3, 2, 1),
            nn.PReLU(),
            nn.Conv2d(64, 64, 3, 1, 1, groups=64),
            nn.PReLU(),
        ]
        channels_in = 64
        for hidden, channels, stride in RESIDUALS:
            layers.append(InvertedResidual(channels_in, hidden, channels, stride))
            channels_in = channels
        last = nn.Conv2d(512, 512, self.SIZE // 16, groups=512)  # the whole map
        layers += [nn.Conv2d(channels_in, 512, 1), nn.PReLU(), last, nn.Conv2d(512, self.DIM, 1), nn.Flatten()]
        super().__init__(*layers)


class InvertedResidual(nn.Module):
    """Widens, filters and narrows the map, weighs its channels, and adds the input if the shape is the same."""

    is_residual: Final[bool]

    def __init__(self, channels_in: int, hidden: int, channels: int, stride: int) -> None:
        super().__init__()

        self.is_residual = stride == 1 and channels_in == channels
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, hidden, 1),
            nn.PReLU(),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden),
            nn.PReLU(),
            nn.Conv2d(hidden, channels, 1),
        )
        squeezed = channels // 8
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.PReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        y = y * self.weigh(y)
        return y + x if self.is_residual else y
