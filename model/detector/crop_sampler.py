"""Samples the refiner's crops from photos, for a whole batch at once, on any device."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.alignment import chip_template
from model.detector.layout import CROP_SIZE


class CropSampler(nn.Module):
    """Does what `model.alignment.align` does for one face, but for a batch, and with plain bilinear interpolation.

    A face that is far larger than its crop is aliased.
    """

    grid: Tensor  # (COORDINATES, CROP_SIZE * CROP_SIZE * 2): landmarks -> positions of the crop's pixels in the photo
    similarity: Tensor  # (COORDINATES, 4): landmarks -> the similarity crop -> photo: a, b and the translation
    template: Tensor  # (COORDINATES,): positions of the landmarks in the crop if the estimates are right

    side: Final[int]

    def __init__(self) -> None:
        super().__init__()
        self.side = CROP_SIZE
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
        """Returns the upright crops, (B, 3, CROP_SIZE, CROP_SIZE).

        `pixels`: a photo for each, RGB values 0..255 as float (B, 3, H, W). `landmarks`: the estimates,
        (B, COORDINATES).
        """
        size = torch.tensor([pixels.size(3), pixels.size(2)], dtype=pixels.dtype, device=pixels.device)
        grid = (landmarks @ self.grid).view(-1, self.side, self.side, 2)
        return F.grid_sample(pixels, grid * (2.0 / size) - 1.0, padding_mode="zeros", align_corners=False)

    @torch.jit.export
    def to_photo(self, offsets: Tensor, landmarks: Tensor) -> Tensor:
        """Maps `offsets` in the crops to landmarks in the photos, (B, COORDINATES). `landmarks` are the estimates."""
        similarity = landmarks @ self.similarity  # (B, 4)
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
