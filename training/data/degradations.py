"""What cameras and people do to a face: kinds of bad crops, to train on and to report error rates for.

Each kind is strong: most people would hesitate to name somebody on such a crop. `augmentation.py` has the milder forms
in which every training crop may come.
"""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from model.alignment import TEMPLATES
from training.data.draw import Draw, compress_jpeg

VERSION: Final = 1  # of the kinds; raise it when one changes, so that kept features are computed again
TEMPLATE: Final = "sface"  # where the landmarks lie in the crops
SMALL_EYE_DISTANCE: Final = 16.0  # pixels between the eyes, before a "small" face was enlarged

Degradation = Callable[[Tensor, Draw], Tensor]


def degrade(crops: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """RGB crops, uint8 (B, S, S, 3), whose landmarks lie as in TEMPLATE -> crops of one of KINDS, same shape and type.

    The result depends on the crops and the generator's state alone.
    """
    x = crops.permute(0, 3, 1, 2).float()  # (B, 3, S, S)
    x = KINDS[kind](x, Draw(len(crops), generator))
    return x.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()


def _positions(x: Tensor) -> tuple[Tensor, Tensor]:
    """The row (1, 1, S, 1) and the column (1, 1, 1, S) of each pixel in units of the side."""
    at = (torch.arange(x.shape[-1], dtype=x.dtype) + 0.5) / x.shape[-1]
    return at.view(1, 1, -1, 1), at.view(1, 1, 1, -1)


def _mask(x: Tensor, draw: Draw) -> Tensor:
    """A cloth or surgical mask from the nose to below the chin, of one colour, with folds and a shaded rim."""
    row, column = _positions(x)
    nose, mouth = TEMPLATES[TEMPLATE][2], TEMPLATES[TEMPLATE][3:].mean(axis=0)
    middle = float(nose[0]) + draw.uniform(-0.02, 0.02)
    across = column - middle
    top = float(nose[1]) - draw.uniform(0.02, 0.12) + draw.uniform(0.1, 0.7) * across.square()
    bottom = float(mouth[1]) + draw.uniform(0.12, 0.24) - draw.uniform(0.3, 1.0) * across.square()
    inside = (row > top) & (row < bottom) & (across.abs() < draw.uniform(0.32, 0.46))
    colour = torch.where(draw.chance(0.5), draw.uniform(20, 245), draw.uniform(20, 245, 3))
    folds = draw.uniform(0, 12) * torch.sin(row * draw.uniform(30, 90))
    light = _enlarge(x.mean(dim=1, keepdim=True), 5)  # the cloth is lit as the face is
    shade = -draw.uniform(0, 120) * across.square() + 0.3 * (light - light.mean(dim=(2, 3), keepdim=True))
    return torch.where(inside, colour + folds + shade, x)


def _sunglasses(x: Tensor, draw: Draw) -> Tensor:
    """Two dark ellipses over the eyes and a bar between them."""
    row, column = _positions(x)
    eyes = TEMPLATES[TEMPLATE][:2]
    above, wide, high = draw.uniform(-0.03, 0.03), draw.uniform(0.13, 0.19), draw.uniform(0.08, 0.13)
    level = float(eyes[:, 1].mean()) + above
    covered = ((row - level).abs() < 0.015) & ((column - float(eyes[:, 0].mean())).abs() < 0.4)
    for eye in eyes:
        covered = covered | (((row - level) / high).square() + ((column - float(eye[0])) / wide).square() < 1)
    return torch.where(covered, draw.uniform(0, 50), x)


def _infrared(x: Tensor, draw: Draw) -> Tensor:
    """One channel, mostly red light, flat and grainy, as from a night camera."""
    weights = torch.cat([draw.uniform(0.5, 1.0), draw.uniform(0.0, 0.4), draw.uniform(0.0, 0.2)], dim=1)
    grey = (x * weights).sum(dim=1, keepdim=True) / weights.sum(dim=1, keepdim=True)
    bright = 255 * (grey / 255).clamp(0, 1).pow(draw.uniform(0.35, 0.8))
    flat = (bright - bright.mean(dim=(2, 3), keepdim=True)) * draw.uniform(0.4, 0.9) + draw.uniform(110, 190)
    return (flat + draw.noise(flat.shape) * draw.uniform(2, 12)).expand_as(x)


def _dark(x: Tensor, draw: Draw) -> Tensor:
    """A twentieth to a fifth of the light, with the noise of a sensor that amplifies it."""
    return x * draw.uniform(0.04, 0.2) + draw.noise(x.shape) * draw.uniform(1, 6)


def _overexposed(x: Tensor, draw: Draw) -> Tensor:
    """Too much light: most of the face is white."""
    return x * draw.uniform(1.6, 3.0) + draw.uniform(20, 80)


def _blur(x: Tensor, draw: Draw) -> Tensor:
    """Out of focus or moved: only what is larger than an eye remains."""
    side = x.shape[-1]
    coarse = [_enlarge(x, side // factor) for factor in (8, 10, 13)]
    kind = draw.uniform(0, 3)
    return torch.where(kind < 1, coarse[0], torch.where(kind < 2, coarse[1], coarse[2]))


def _small(x: Tensor, draw: Draw) -> Tensor:
    """Enlarged from SMALL_EYE_DISTANCE pixels between the eyes."""
    left, right = TEMPLATES[TEMPLATE][:2]
    return _enlarge(x, round(SMALL_EYE_DISTANCE / float(right[0] - left[0])))


def _enlarge(x: Tensor, pixels: int) -> Tensor:
    reduced = F.interpolate(x, size=(pixels, pixels), mode="area")
    return F.interpolate(reduced, size=x.shape[-2:], mode="bicubic", align_corners=False)


def _half(x: Tensor, draw: Draw) -> Tensor:
    """Cut at the edge of the photo, or hidden behind something: a third to a half of the face is missing."""
    row, column = _positions(x)
    share = draw.uniform(0.4, 0.58)
    turn = draw.uniform(0, 3)  # left, right or bottom
    hidden = torch.where(turn < 1, column.expand_as(row + column) < share, column.expand_as(row + column) > 1 - share)
    hidden = torch.where(turn < 2, hidden, row.expand_as(row + column) > 1 - share)
    filling = torch.where(draw.chance(0.6), torch.zeros(1, 1, 1, 1), draw.uniform(0, 255, 3))
    return torch.where(hidden, filling, x)


def _jpeg(x: Tensor, draw: Draw) -> Tensor:
    """Compressed so much that blocks show, by a real JPEG encoder."""
    quality = draw.uniform(4, 14).flatten()
    return torch.stack([compress_jpeg(each, int(quality[row])) for row, each in enumerate(x)])


KINDS: Final[Mapping[str, Degradation]] = {
    "masked": _mask,
    "sunglasses": _sunglasses,
    "infrared": _infrared,
    "dark": _dark,
    "overexposed": _overexposed,
    "blurred": _blur,
    "small": _small,
    "half cut": _half,
    "compressed": _jpeg,
}
