"""Random augmentation of a training batch, in one pass on its device: geometry, light, resolution, occlusion."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from training.config import AugmentationConfig
from training.data.draw import Draw, compress_jpeg


def augment(crops: Tensor, size: int, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """RGB crops with surroundings, uint8 (B, T, T, 3) -> augmented crops, float32 (B, 3, size, size), levels 0..255.

    Each crop is augmented differently. The result depends on the crops and the generator's state alone.
    """
    draw = Draw(len(crops), generator, crops.device)
    x = crops.permute(0, 3, 1, 2).float()  # (B, 3, T, T)
    return _change_pixels(_warp(x, size, config, draw), config, draw)


def augment_photometric(pixels: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """The part of `augment` that keeps positions: light, colour, resolution, occlusion, compression.

    RGB levels 0..255, float (B, 3, S, S) -> the same shape, each picture augmented differently.
    """
    return _change_pixels(pixels, config, Draw(len(pixels), generator, pixels.device))


def _change_pixels(x: Tensor, config: AugmentationConfig, draw: Draw) -> Tensor:
    size = x.shape[-1]
    x = _shade(x, config, draw)
    if config.dark:
        x = _darken(x, config, draw)
    factor = 3 if config.low == 3 else draw.integer(2, config.low)
    low = F.interpolate(F.avg_pool2d(x, factor, factor), size, mode="bilinear", align_corners=False)
    x = torch.where(draw.chance(config.blur), low, x)
    grey = (x * x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    x = torch.where(draw.chance(config.grey), grey, x)
    x = _erase(x, config, draw)
    # These draw random numbers only if they are enabled: the others stay the same without them.
    if config.glasses:
        x = _add_sunglasses(x, config, draw)
    if config.borders:
        x = _cut_borders(x, config, draw)
    x = x.clamp(0, 255)
    if config.jpeg:
        x = _compress(x, config, draw)
    return x.contiguous(memory_format=torch.channels_last)


def _warp(x: Tensor, size: int, config: AugmentationConfig, draw: Draw) -> Tensor:
    """Rotation, scale, shift, shear and mirroring in one bilinear sampling of the crop with its surroundings."""
    stored = x.shape[-1]
    angle = draw.uniform(-config.rotation, config.rotation).flatten() * (math.pi / 180)
    zoom = 1 + draw.uniform(-config.scale, config.scale).flatten()
    shift = torch.stack([draw.uniform(-config.shift, config.shift).flatten() * 2 * size / stored for _ in "xy"], dim=1)
    mirror = torch.where(draw.chance(config.mirror).flatten(), -1.0, 1.0)
    ratio = size / stored
    cos, sin = torch.cos(angle) * zoom * ratio, torch.sin(angle) * zoom * ratio
    matrix = torch.stack([cos * mirror, -sin, shift[:, 0], sin * mirror, cos, shift[:, 1]], dim=1).view(-1, 2, 3)
    if config.shear:
        across, along = (draw.uniform(-config.shear, config.shear).flatten() for _ in "xy")
        one = torch.ones_like(across)
        slant = torch.stack([one, across, along, one], dim=1).view(-1, 2, 2)
        matrix = torch.cat([matrix[:, :, :2] @ slant, matrix[:, :, 2:]], dim=2)
    grid = F.affine_grid(matrix, [len(x), 3, size, size], align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def _shade(x: Tensor, config: AugmentationConfig, draw: Draw) -> Tensor:
    mean = x.mean(dim=(2, 3), keepdim=True)
    contrast = 1 + draw.uniform(-config.contrast, config.contrast)
    brightness = 1 + draw.uniform(-config.brightness, config.brightness)
    return ((x - mean) * contrast + mean) * brightness


def _erase(x: Tensor, config: AugmentationConfig, draw: Draw) -> Tensor:
    """Fills one rectangle, up to half the side long, with the crop's mean colour: a hand, a microphone, a scarf."""
    size = x.shape[-1]
    axis = torch.arange(size, dtype=x.dtype, device=x.device)
    inside = draw.chance(config.erase)
    for view in ((1, 1, 1, size), (1, 1, size, 1)):
        extent = draw.uniform(0.1, 0.5) * size
        start = draw.uniform(0, 1) * (size - extent)
        position = axis.view(view)
        inside = inside & (position >= start) & (position < start + extent)
    return torch.where(inside, x.mean(dim=(2, 3), keepdim=True), x)


def _darken(x: Tensor, config: AugmentationConfig, draw: Draw) -> Tensor:
    """Too little light, with the noise of a sensor that amplifies it."""
    dark = x * draw.uniform(0.15, 0.5) + draw.noise(x.shape) * draw.uniform(0, 6)
    return torch.where(draw.chance(config.dark), dark, x)


def _add_sunglasses(x: Tensor, config: AugmentationConfig, draw: Draw) -> Tensor:
    """Two dark ellipses over the eyes of model/alignment.py's template, and a bar between them."""
    size = x.shape[-1]
    at = (torch.arange(size, dtype=x.dtype, device=x.device) + 0.5) / size
    rows, columns = at.view(1, 1, size, 1) - draw.uniform(0.29, 0.33), at.view(1, 1, 1, size)
    wide, high = draw.uniform(0.11, 0.17), draw.uniform(0.06, 0.11)
    covered = (rows.abs() < 0.015) & ((columns - 0.5).abs() < 0.2)
    for eye in (0.32, 0.68):
        covered = covered | ((rows / high).square() + ((columns - eye) / wide).square() < 1)
    return torch.where(covered & draw.chance(config.glasses), draw.uniform(0, 60), x)


def _cut_borders(x: Tensor, config: AugmentationConfig, draw: Draw) -> Tensor:
    """Black borders, as where a photo ends: each side on its own, up to a fifth of the crop."""
    size = x.shape[-1]
    at = (torch.arange(size, dtype=x.dtype, device=x.device) + 0.5) / size
    kept = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=x.device)
    for position in (at.view(1, 1, size, 1), at.view(1, 1, 1, size)):
        for distance in (position, 1 - position):
            width = draw.uniform(0, 0.2) * draw.chance(config.borders)
            kept = kept & (distance >= width)
    return x * kept


def _compress(x: Tensor, config: AugmentationConfig, draw: Draw) -> Tensor:
    """JPEG compression of low quality, by a real JPEG encoder."""
    compressed = x.clone()
    for row in draw.chance(config.jpeg).flatten().nonzero().flatten().tolist():
        compressed[row] = compress_jpeg(x[row], draw.integer(15, 60))
    return compressed
