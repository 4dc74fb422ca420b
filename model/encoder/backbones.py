"""Backbones of an encoder: from normalised pixels (B, 3, S, S) to a vector (B, D)."""

from torch import Tensor, nn
from torch.nn import functional as F


class PaperNet(nn.Sequential):
    """The convolutional network of Koch et al. 2015 ('Siamese Neural Networks for One-shot Image Recognition', figure
    4), for any crop size and three channels.

    Four convolutions (kernels of 10, 7, 4 and 4) with ReLU and max-pooling, then a fully connected sigmoid layer. A
    projection to the embedding replaces the paper's weighted L1 distance. `width` scales the channels 64, 128, 128 and
    256. Raises ValueError if the crops are too small.
    """

    def __init__(self, crop_size: int, embedding_dim: int, width: float, hidden: int, dropout: float) -> None:
        a, b, c = (max(int(n * width), 1) for n in (64, 128, 256))
        side = ((((crop_size - 9) // 2 - 6) // 2) - 3) // 2 - 3
        if side < 1:
            raise ValueError(f"crops of {crop_size} px are too small for the paper's network; use at least 75 px")
        super().__init__(
            nn.Conv2d(3, a, 10),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(a, b, 7),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(b, b, 4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(b, c, 4),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(c * side * side, hidden),
            nn.Sigmoid(),
            nn.Linear(hidden, embedding_dim),
        )


class Residual(nn.Module):
    """A residual block of two 3x3 convolutions with batch normalisation (He et al. 2016)."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, stride), nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


class CompactResNet(nn.Sequential):
    """A small residual network: a stem, residual blocks at strides 4, 8 and 16, and fully connected layers.

    There is no global pooling, so the position of a feature on the face is kept. `width` scales the channels. Raises
    ValueError if the crop size is not a multiple of 16.
    """

    def __init__(self, crop_size: int, embedding_dim: int, width: float, hidden: int, dropout: float) -> None:
        if crop_size % 16:
            raise ValueError(f"the crop size must be a multiple of 16, not {crop_size}")
        a, b, c, d = (max(int(n * width), 1) for n in (32, 64, 128, 256))
        side = crop_size // 16
        super().__init__(
            nn.Conv2d(3, a, 5, 2, 2, bias=False),
            nn.BatchNorm2d(a),
            nn.ReLU(inplace=True),
            Residual(a, b, 2),
            Residual(b, c, 2),
            Residual(c, c, 1),
            Residual(c, d, 2),
            Residual(d, d, 1),
            nn.Conv2d(d, d // 4, 1, bias=False),
            nn.BatchNorm2d(d // 4),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(d // 4 * side * side, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, embedding_dim),
        )
