"""SFace (Zhong, Deng, Hu, Zhao 2021, 'SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition').

The network of OpenCV Zoo's face_recognition_sface_2021dec: MobileNet's separable convolutions, with a PReLU after each
convolution. Batch normalization is folded into the weights, which `training/encoder/weights/sface_weights.py` reads.
"""

from typing import Final

from torch import nn

# Channels after each separable convolution, and its stride.
SEPARABLE: Final = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)


class SFace(nn.Sequential):
    """Crops (B, 3, SIZE, SIZE), RGB as (value - MEAN) / SCALE -> embeddings (B, DIM), not normalized."""

    SIZE = 112  # pixels a side of a crop
    DIM = 128  # of an embedding
    MEAN = (127.5, 127.5, 127.5)
    SCALE = 128.0

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, 1, 1), nn.PReLU(32)]
        channels_in = 32
        for channels, stride in SEPARABLE:
            layers += [
                nn.Conv2d(channels_in, channels_in, 3, stride, 1, groups=channels_in),
                nn.PReLU(channels_in),
                nn.Conv2d(channels_in, channels, 1),
                nn.PReLU(channels),
            ]
            channels_in = channels
        side = self.SIZE // 16
        super().__init__(*layers, nn.Flatten(), nn.Linear(channels_in * side**2, self.DIM))
