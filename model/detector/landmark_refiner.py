"""Refines the five landmarks of each detected face, on which alignment and therefore every score depends.

Each face is transformed upright into a small crop, in which a few convolutions predict the offset of each landmark.
This is the last stage of a cascade (Sun, Wang, Tang 2013, 'Deep Convolutional Network Cascade for Facial Point
Detection'; MTCNN's O-Net), run on all faces of a photo in one batch.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.alignment import chip_template

CROP_SIZE: Final = 48  # pixels
COORDINATES: Final = 10  # x and y of five landmarks


class LandmarkRefiner(nn.Module):
    """Predicts the positions of landmarks from estimates of them."""

    side: Final[int]
    grid: Tensor  # (COORDINATES, CROP_SIZE * CROP_SIZE * 2): landmarks -> positions of the crop's pixels in the photo
    similarity: Tensor  # (COORDINATES, 4): landmarks -> the similarity crop -> photo: a, b and the translation
    template: Tensor  # (COORDINATES,): positions of the landmarks in the crop if the estimates are right

    def __init__(self, width: float = 1.0) -> None:
        """`width` scales the number of channels."""
        super().__init__()
        a, b, c, d = (max(int(n * width), 4) for n in (16, 32, 64, 128))
        self.side = CROP_SIZE
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
        self.last = nn.Linear(d, COORDINATES)
        nn.init.zeros_(self.last.weight)  # an untrained network leaves the landmarks as they are
        nn.init.zeros_(self.last.bias)
        template = torch.from_numpy(chip_template(CROP_SIZE))
        # The least-squares similarity is linear in the landmarks, so it is one product with a constant matrix.
        similarity = torch.linalg.pinv(_similarity_terms(template))  # (4, COORDINATES)
        centres = torch.arange(CROP_SIZE, dtype=torch.float64) + 0.5
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        pixels = _similarity_terms(torch.stack([x, y], dim=-1).flatten(0, 1))  # (CROP_SIZE * CROP_SIZE * 2, 4)
        self.register_buffer("similarity", similarity.T.float().contiguous())
        self.register_buffer("grid", (pixels @ similarity).T.float().contiguous())
        self.register_buffer("template", template.flatten().float())

    def forward(self, pixels: Tensor, landmarks: Tensor) -> Tensor:
        """Returns refined landmarks (F, 10), in pixels of the photo.

        `pixels`: the photo of each face, RGB values 0..255 as float (F, 3, H, W). `landmarks`: the estimates, (F, 10).
        """
        return self.to_photo(self.offsets(self.crop_faces(pixels, landmarks)), landmarks)

    @torch.jit.export
    def crop_faces(self, pixels: Tensor, landmarks: Tensor) -> Tensor:
        """Returns the upright faces, (F, 3, CROP_SIZE, CROP_SIZE). Arguments as of `forward`."""
        size = torch.tensor([pixels.size(3), pixels.size(2)], dtype=pixels.dtype, device=pixels.device)
        grid = (landmarks @ self.grid).view(-1, self.side, self.side, 2)
        return F.grid_sample(pixels, grid * (2.0 / size) - 1.0, padding_mode="border", align_corners=False)

    @torch.jit.export
    def offsets(self, crops: Tensor) -> Tensor:
        """Predicts the offset of each landmark from the template, (F, 10) in pixels of the crop."""
        offsets: Tensor = self.last(self.body((crops - 127.5) / 64.0))
        return offsets

    @torch.jit.export
    def to_photo(self, offsets: Tensor, landmarks: Tensor) -> Tensor:
        """Maps `offsets` in the crops to landmarks in the photo, (F, 10). `landmarks` are those of `crop_faces`."""
        similarity = landmarks @ self.similarity  # (F, 4)
        points = (self.template + offsets).view(-1, 5, 2)
        x, y = points[:, :, 0], points[:, :, 1]
        a, b = similarity[:, 0:1], similarity[:, 1:2]
        shift_x, shift_y = similarity[:, 2:3], similarity[:, 3:4]
        return torch.stack([a * x - b * y + shift_x, b * x + a * y + shift_y], dim=2).flatten(1)


def _similarity_terms(points: Tensor) -> Tensor:
    """Returns the matrix (2 N, 4) whose product with (a, b, shift x, shift y) is the transformed points (N, 2)."""
    x, y = points.unbind(1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    return torch.stack([torch.stack([x, -y, one, zero], 1), torch.stack([y, x, zero, one], 1)], 1).flatten(0, 1)


def _convolution(channels_in: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
    )
