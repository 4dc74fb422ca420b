"""A second look at each face that was found, for its five landmarks alone: alignment and every score rest on them.

The face is carried upright into a small crop, where a few convolutions say how far each landmark is from where it was
thought to be: a cascade's last stage (Sun, Wang, Tang 2013, 'Deep Convolutional Network Cascade for Facial Point
Detection'; MTCNN's O-Net), kept to one batch for all faces.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.alignment import chip_template

SIDE: Final = 48  # pixels of the crop
POINTS: Final = 10  # x and y of five landmarks


class LandmarkRefiner(nn.Module):
    """Landmarks in, better ones out."""

    side: Final[int]
    grid: Tensor  # (POINTS, SIDE * SIDE * 2): landmarks -> where each pixel of the crop lies in the photo
    motion: Tensor  # (POINTS, 4): landmarks -> the similarity that carries the crop there: a, b and the shift
    template: Tensor  # (POINTS,): where the landmarks lie in the crop, if they were right

    def __init__(self, width: float = 1.0) -> None:
        """`width` scales the channels."""
        super().__init__()
        a, b, c, d = (max(int(n * width), 4) for n in (16, 32, 64, 128))
        self.side = SIDE
        self.body = nn.Sequential(
            _convolution(3, a, 2),  # 24 x 24
            _convolution(a, b, 2),  # 12 x 12
            _convolution(b, b, 1),
            _convolution(b, c, 2),  # 6 x 6
            _convolution(c, c, 1),
            nn.Flatten(),
            nn.Linear(c * (SIDE // 8) ** 2, d),
            nn.ReLU(inplace=True),
        )
        self.last = nn.Linear(d, POINTS)
        nn.init.zeros_(self.last.weight)  # an untrained network leaves the landmarks as they are
        nn.init.zeros_(self.last.bias)
        template = torch.from_numpy(chip_template(SIDE))
        # A similarity is linear in the landmarks that it should meet: least squares is one product with a constant.
        motion = torch.linalg.pinv(_moved(template))  # (4, POINTS)
        middles = torch.arange(SIDE, dtype=torch.float64) + 0.5
        y, x = torch.meshgrid(middles, middles, indexing="ij")
        every = _moved(torch.stack([x, y], dim=-1).flatten(0, 1))  # (SIDE * SIDE * 2, 4)
        self.register_buffer("motion", motion.T.float().contiguous())
        self.register_buffer("grid", (every @ motion).T.float().contiguous())
        self.register_buffer("template", template.flatten().float())

    def forward(self, pixels: Tensor, landmarks: Tensor) -> Tensor:
        """RGB levels 0..255 as float (F, 3, H, W), the photo of each face, and where its landmarks should be, (F, 10)
        in its pixels -> where they are, (F, 10)."""
        return self.back(self.apart(self.crops(pixels, landmarks)), landmarks)

    @torch.jit.export
    def crops(self, pixels: Tensor, landmarks: Tensor) -> Tensor:
        """The upright faces, (F, 3, SIDE, SIDE)."""
        size = torch.tensor([pixels.size(3), pixels.size(2)], dtype=pixels.dtype, device=pixels.device)
        grid = (landmarks @ self.grid).view(-1, self.side, self.side, 2)
        return F.grid_sample(pixels, grid * (2.0 / size) - 1.0, padding_mode="border", align_corners=False)

    @torch.jit.export
    def apart(self, crops: Tensor) -> Tensor:
        """Crops -> how far each landmark is from the template, (F, 10) in pixels of the crop: where training enters."""
        apart: Tensor = self.last(self.body((crops - 127.5) / 64.0))
        return apart

    @torch.jit.export
    def back(self, apart: Tensor, landmarks: Tensor) -> Tensor:
        """From the crops to the photo, (F, 10)."""
        motion = landmarks @ self.motion  # (F, 4)
        points = (self.template + apart).view(-1, 5, 2)
        x, y = points[:, :, 0], points[:, :, 1]
        a, b = motion[:, 0:1], motion[:, 1:2]
        return torch.stack([a * x - b * y + motion[:, 2:3], b * x + a * y + motion[:, 3:4]], dim=2).flatten(1)


def _moved(points: Tensor) -> Tensor:
    """Points (N, 2) -> (2 N, 4), which times (a, b, shift x, shift y) are the points scaled, turned and shifted."""
    x, y = points.unbind(1)
    one, none = torch.ones_like(x), torch.zeros_like(x)
    return torch.stack([torch.stack([x, -y, one, none], 1), torch.stack([y, x, none, one], 1)], 1).flatten(0, 1)


def _convolution(channels_in: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
    )
