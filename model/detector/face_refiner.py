"""Looks at each candidate again: where exactly its five landmarks are, and whether it is a face at all.

The last stage of a cascade (Sun, Wang, Tang 2013, 'Deep Convolutional Network Cascade for Facial Point Detection';
MTCNN's O-Net, Zhang et al. 2016): the candidate is aligned upright into a small crop, in which a few convolutions
predict the offset of each landmark and one logit. Alignment, and so every score of the encoder, depends on the
landmarks.
"""

from torch import Tensor, nn

from model.detector.layout import COORDINATES, CROP_SIZE


class FaceRefiner(nn.Module):
    """Predicts the offsets of landmarks, and whether a candidate is a face, from its aligned crop."""

    def __init__(self, width: float = 1.0) -> None:
        """`width` scales the number of channels."""
        super().__init__()
        a, b, c, d = (max(int(n * width), 4) for n in (16, 32, 64, 128))
        self.body = nn.Sequential(
            _convolution(3, a, 2),  # 24 x 24
            _convolution(a, b, 2),  # 12 x 12
            _convolution(b, b, 1),
            _convolution(b, c, 2),  # 6 x 6
            _convolution(c, c, 1),
            nn.Flatten(),
            nn.Linear(c * (CROP_SIZE // 8) ** 2, d),
            nn.ReLU(inplace=True),
        )
        self.last = nn.Linear(d, COORDINATES + 1)
        nn.init.zeros_(self.last.weight)  # an untrained network leaves the landmarks as they are
        nn.init.zeros_(self.last.bias)

    def forward(self, crops: Tensor) -> Tensor:
        """Takes aligned crops, RGB values 0..255 as float (F, 3, CROP_SIZE, CROP_SIZE).

        Returns (F, COORDINATES + 1): the offset of each landmark from the template in pixels of the crop (x, y, x, y
        ...), then the logit of the chance that the crop shows a face.
        """
        values: Tensor = self.last(self.body((crops - 127.5) / 64.0))
        return values


def _convolution(channels_in: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
    )
