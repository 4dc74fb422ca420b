"""The networks of Minivision's Silent-Face-Anti-Spoofing: pruned MobileFaceNets that tell three classes apart.

Inverted residuals (Sandler et al. 2018, 'MobileNetV2') with one PReLU slope a channel; the widths between their 1x1
convolutions were pruned by the authors. `training/liveness/weights.py` reads their weights.
"""

from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

CROP_SIZE: Final = 80  # pixels a side
CLASSES: Final = 3  # printed or replayed, live, replayed or printed: the authors name only the second
LIVE: Final = 1  # the class of live faces
EMBEDDING: Final = 128


@dataclass(frozen=True)
class Widths:
    """The widths inside the inverted residuals. A tuple holds one residual with stride 1 for each number.

    `squeezed`: whether the last residual of each tuple weighs its channels (Hu, Shen, Sun 2018).
    """

    first: int
    stage1: tuple[int, ...]
    second: int
    stage2: tuple[int, ...]
    third: int
    stage3: tuple[int, ...]
    squeezed: bool


V2: Final = Widths(103, (13, 13, 13, 13), 231, (231, 52, 26, 77, 26, 26), 308, (26, 26), squeezed=False)
V1_SE: Final = Widths(103, (13, 26, 13, 52), 231, (154, 52, 26, 52, 26, 26), 308, (26, 26), squeezed=True)


class MiniFasNet(nn.Sequential):
    """Crops (B, 3, CROP_SIZE, CROP_SIZE), BGR, 0..255 -> logits of the classes (B, CLASSES)."""

    def __init__(self, widths: Widths) -> None:
        layers: list[nn.Module] = [
            *_filter(3, 32, 3, stride=2),
            *_filter(32, 32, 3, groups=32),
            InvertedResidual(32, widths.first, 64, 2),
            *_stage(64, widths.stage1, widths.squeezed),
            InvertedResidual(64, widths.second, 128, 2),
            *_stage(128, widths.stage2, widths.squeezed),
            InvertedResidual(128, widths.third, 128, 2),
            *_stage(128, widths.stage3, widths.squeezed),
            *_filter(128, 512, 1),
            nn.Conv2d(512, 512, CROP_SIZE // 16, groups=512, bias=False),  # the whole map
            nn.BatchNorm2d(512),
            nn.Flatten(),
            nn.Linear(512, EMBEDDING, bias=False),
            nn.BatchNorm1d(EMBEDDING),
            nn.Linear(EMBEDDING, CLASSES, bias=False),
        ]
        super().__init__(*layers)


class InvertedResidual(nn.Module):
    """Widens, filters and narrows the map; weighs its channels if `squeezed`, and adds the input at stride 1."""

    is_residual: Final[bool]

    def __init__(self, channels_in: int, hidden: int, channels: int, stride: int, squeezed: bool = False) -> None:
        super().__init__()
        self.is_residual = stride == 1
        body = [
            *_filter(channels_in, hidden, 1),
            *_filter(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        ]
        self.body = nn.Sequential(*body, ChannelWeights(channels)) if squeezed else nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.is_residual else y


class ChannelWeights(nn.Module):
    """Weighs the channels of a map by what it shows on average."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = channels // 4
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1, bias=False),
            nn.BatchNorm2d(squeezed),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.weigh(x)
        return x * weights


def _stage(channels: int, hidden: tuple[int, ...], squeezed: bool) -> list[nn.Module]:
    last = len(hidden) - 1
    return [InvertedResidual(channels, each, channels, 1, squeezed and i == last) for i, each in enumerate(hidden)]


def _filter(channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(channels), nn.PReLU(channels)]
