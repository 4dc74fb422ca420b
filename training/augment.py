"""What cameras, detectors and people do to a face, done to a training batch in one pass on its device."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from training.config import AugmentationConfig


def augment(crops: Tensor, size: int, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """uint8 (B, T, T, 3) with surroundings -> float RGB levels 0..255, (B, 3, size, size), each transformed anew."""
    draw = _Draw(len(crops), generator, crops.device)
    x = crops.permute(0, 3, 1, 2).float()  # (B, 3, T, T)
    x = _warp(x, size, config, draw)
    x = _shade(x, config, draw)
    low = F.interpolate(F.avg_pool2d(x, 3, 3), size, mode="bilinear", align_corners=False)
    x = torch.where(draw.chance(config.blur), low, x)
    grey = (x * x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    x = torch.where(draw.chance(config.grey), grey, x)
    x = _erase(x, config, draw)
    return x.clamp(0, 255).contiguous(memory_format=torch.channels_last)


class _Draw:
    """Random numbers, one for each photo of the batch, shaped to broadcast over (B, 3, S, S)."""

    def __init__(self, batch: int, generator: torch.Generator, device: torch.device) -> None:
        self._batch, self._generator, self._device = batch, generator, device

    def uniform(self, low: float, high: float) -> Tensor:
        values = torch.rand(self._batch, 1, 1, 1, generator=self._generator)
        return low + (high - low) * values.to(self._device)

    def chance(self, probability: float) -> Tensor:
        return self.uniform(0, 1) < probability


def _warp(x: Tensor, size: int, config: AugmentationConfig, draw: _Draw) -> Tensor:
    """Rotation, scale, shift and mirror by one bilinear sampling from the crop with its surroundings."""
    stored = x.shape[-1]
    angle = draw.uniform(-config.rotation, config.rotation).flatten() * (math.pi / 180)
    zoom = 1 + draw.uniform(-config.scale, config.scale).flatten()
    shift = torch.stack([draw.uniform(-config.shift, config.shift).flatten() * 2 * size / stored for _ in "xy"], dim=1)
    mirror = torch.where(draw.chance(0.5).flatten(), -1.0, 1.0)
    ratio = size / stored
    cos, sin = torch.cos(angle) * zoom * ratio, torch.sin(angle) * zoom * ratio
    rows = torch.stack([cos * mirror, -sin, shift[:, 0], sin * mirror, cos, shift[:, 1]], dim=1)
    grid = F.affine_grid(rows.view(-1, 2, 3), [len(x), 3, size, size], align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def _shade(x: Tensor, config: AugmentationConfig, draw: _Draw) -> Tensor:
    mean = x.mean(dim=(2, 3), keepdim=True)
    contrast = 1 + draw.uniform(-config.contrast, config.contrast)
    brightness = 1 + draw.uniform(-config.brightness, config.brightness)
    return ((x - mean) * contrast + mean) * brightness


def _erase(x: Tensor, config: AugmentationConfig, draw: _Draw) -> Tensor:
    """One rectangle of up to half the side, filled with the photo's mean colour: a hand, a microphone, a scarf."""
    size = x.shape[-1]
    axis = torch.arange(size, dtype=x.dtype, device=x.device)
    inside = draw.chance(config.erase)
    for view in ((1, 1, 1, size), (1, 1, size, 1)):
        extent = draw.uniform(0.1, 0.5) * size
        start = draw.uniform(0, 1) * (size - extent)
        position = axis.view(view)
        inside = inside & (position >= start) & (position < start + extent)
    return torch.where(inside, x.mean(dim=(2, 3), keepdim=True), x)
