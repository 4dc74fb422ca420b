"""The networks for liveness side by side: one for each scale of the crop, and the mean of what they say."""

from typing import Final

import torch
from torch import Tensor, nn

from model.liveness.minifasnet import CROP_SIZE, LIVE, V1_SE, V2, MiniFasNet

SCALES: Final = (2.7, 4.0)  # of the crops, in sides of the face's box; one for each network


class LivenessEnsemble(nn.Module):
    """Crops, RGB uint8 (B, 2, CROP_SIZE, CROP_SIZE, 3) at SCALES -> scores (B,), 0..1: the mean probability of 'live'.

    Raises RuntimeError on another shape or dtype.
    """

    crop_size: Final[int]
    live: Final[int]
    scales: Final[int]

    def __init__(self) -> None:
        super().__init__()
        self.crop_size, self.live, self.scales = CROP_SIZE, LIVE, len(SCALES)
        self.near = MiniFasNet(V2)
        self.wide = MiniFasNet(V1_SE)

    def forward(self, crops: Tensor) -> Tensor:
        if crops.dtype != torch.uint8:
            raise RuntimeError("crops must be uint8")
        shape = [self.scales, self.crop_size, self.crop_size, 3]
        if crops.dim() != 5 or list(crops.shape[1:]) != shape:
            raise RuntimeError(f"crops must have the shape (B, {shape[0]}, {shape[1]}, {shape[2]}, {shape[3]})")
        pixels = crops.permute(0, 1, 4, 2, 3).flip(2).float()  # (B, 2, 3, S, S), BGR, 0..255
        near = torch.softmax(self.near(pixels[:, 0]), 1)[:, self.live]
        wide = torch.softmax(self.wide(pixels[:, 1]), 1)[:, self.live]
        return (near + wide) / 2
