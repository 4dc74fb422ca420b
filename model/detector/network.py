"""The face detector's network: one pass over the whole photo, from pixels to boxes, scores and five landmarks.

Anchor-free as FCOS (Tian et al. 2019, 'FCOS: Fully Convolutional One-Stage Object Detection'), small as YuNet (Wu,
Peng, Yu 2023, 'YuNet: A Tiny Millisecond-level Face Detector'): every cell of three maps, of strides 8, 16 and 32, says
whether it lies in the middle of a face, and where that face's sides and landmarks are. Decoding and the suppression of
overlapping boxes are inside the module, so that they run the same wherever it runs.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import nms

LEVELS: Final = 3
FIRST_STRIDE: Final = 8.0  # pixels a cell of the finest map; the next ones have twice and four times as many
COARSEST: Final = 32
VALUES: Final = 15  # of a face: left, top, right, bottom, score, then x and y of each landmark
LARGEST_EXPONENT: Final = 5.0  # of a side's distance from its cell, in cells: keeps an untrained network finite


class FaceLocator(nn.Module):
    """Photos in, faces out."""

    most_overlap: Final[float]
    coarsest: Final[int]

    def __init__(self, width: float = 1.0, most_overlap: float = 0.4) -> None:
        """`width` scales the channels. Of two boxes whose intersection over union exceeds `most_overlap` the one with
        the lower score is dropped."""
        super().__init__()
        a, b, c, d = (max(int(n * width), 4) for n in (16, 32, 64, 96))
        self.most_overlap, self.coarsest = most_overlap, COARSEST
        self.stem = nn.Sequential(_convolution(3, a), _convolution(a, b))  # stride 4
        self.fine = nn.Sequential(_convolution(b, c), Separable(c, c), Separable(c, c))
        self.middle = nn.Sequential(Separable(c, d, 2), Separable(d, d), Separable(d, d))
        self.coarse = nn.Sequential(Separable(d, d, 2), Separable(d, d), Separable(d, d))
        self.fine_in, self.middle_in, self.coarse_in = nn.Conv2d(c, c, 1), nn.Conv2d(d, c, 1), nn.Conv2d(d, c, 1)
        self.fine_out, self.middle_out, self.coarse_out = _head(c), _head(c), _head(c)

    def forward(self, images: Tensor, least_score: float) -> list[Tensor]:
        """RGB uint8 (B, H, W, 3) of any size -> for each image its faces (F, VALUES) in pixels, pixel centres at
        halves, best score first; only scores, 0..1, from `least_score` on. Raises RuntimeError on another type or
        shape."""
        return self.faces(self.maps(levels(images)), least_score)

    @torch.jit.export
    def faces(self, maps: list[Tensor], least_score: float) -> list[Tensor]:
        """What `maps` returned -> for each image its faces (F, VALUES), as `forward` returns them."""
        answers = flat(maps)  # (B, VALUES, cells)
        likely = answers[:, 4].sigmoid() >= least_score  # (B, cells)
        found: list[Tensor] = []
        for image in range(answers.size(0)):
            cells = likely[image].nonzero().squeeze(1)
            faces = faces_at(answers[image : image + 1, :, cells], cells, maps)[0]
            found.append(faces[nms(faces[:, :4], faces[:, 4], self.most_overlap)])
        return found

    @torch.jit.export
    def maps(self, pixels: Tensor) -> list[Tensor]:
        """RGB levels 0..255 as float (B, 3, H, W) -> of each level (B, VALUES, rows, columns), as `decode` takes them:
        where training enters. The photo is filled up with grey to whole cells."""
        x = (pixels - 127.5) / 64.0
        across = (self.coarsest - pixels.size(3) % self.coarsest) % self.coarsest
        down = (self.coarsest - pixels.size(2) % self.coarsest) % self.coarsest
        x = F.pad(x, [0, across, 0, down])
        fine = self.fine(self.stem(x))
        middle = self.middle(fine)
        coarse = self.coarse_in(self.coarse(middle))
        middle = self.middle_in(middle) + F.interpolate(coarse, scale_factor=2.0, mode="nearest")
        fine = self.fine_in(fine) + F.interpolate(middle, scale_factor=2.0, mode="nearest")
        return [self.fine_out(fine), self.middle_out(middle), self.coarse_out(coarse)]


class Separable(nn.Module):
    """A depthwise 3x3 and a pointwise convolution, added to the map itself where the shape stays."""

    adds: Final[bool]

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.adds = stride == 1 and channels_in == channels
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_in, 3, stride, 1, groups=channels_in, bias=False),
            nn.BatchNorm2d(channels_in),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_in, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return F.relu(x + y) if self.adds else F.relu(y)


def levels(images: Tensor) -> Tensor:
    """RGB uint8 (B, H, W, 3) -> the same as float (B, 3, H, W). Raises RuntimeError on another type or shape."""
    if images.dtype != torch.uint8 or images.dim() != 4 or images.size(3) != 3:
        raise RuntimeError("images must be uint8 (B, H, W, 3)")
    return images.permute(0, 3, 1, 2).float()


def _convolution(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
    )


def _head(channels: int) -> nn.Sequential:
    last = nn.Conv2d(channels, VALUES, 1)
    nn.init.zeros_(last.weight)
    assert last.bias is not None
    nn.init.zeros_(last.bias)
    with torch.no_grad():
        last.bias[4] = -4.6  # a hundredth of the cells is the middle of a face: where the loss starts calm
    return nn.Sequential(Separable(channels, channels), last)


def centres(rows: int, columns: int, stride: float, device: torch.device) -> Tensor:
    """x and y of the middle of each cell, (2, rows, columns), in pixels."""
    y, x = torch.meshgrid(
        torch.arange(rows, device=device, dtype=torch.float32),
        torch.arange(columns, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return (torch.stack([x, y]) + 0.5) * stride


def flat(maps: list[Tensor]) -> Tensor:
    """The network's maps -> (B, VALUES, cells), level by level and row by row."""
    return torch.cat([values.flatten(2) for values in maps], dim=2).float()


def decode(maps: list[Tensor]) -> Tensor:
    """The network's maps -> the face of every cell, (B, cells, VALUES), in pixels and scores 0..1."""
    answers = flat(maps)
    return faces_at(answers, torch.arange(answers.size(2), device=answers.device), maps)


def faces_at(
    answers: Tensor, cells: Tensor, maps: list[Tensor], stride: float = FIRST_STRIDE, furthest: float = LARGEST_EXPONENT
) -> Tensor:
    """What some cells (K,), numbered as in `flat`, answer (B, VALUES, K) -> their faces (B, K, VALUES). `stride` is
    that of the first map, each next one's twice as large."""
    starts: list[int] = []
    columns: list[int] = []
    strides: list[float] = []
    count = 0
    for values in maps:
        starts.append(count)
        columns.append(values.size(3))
        strides.append(stride)
        count += values.size(2) * values.size(3)
        stride = stride * 2.0
    level = (cells >= starts[1]).long() + (cells >= starts[2]).long()
    place = cells - torch.tensor(starts, device=cells.device)[level]
    across = torch.tensor(columns, device=cells.device)[level]
    pixels = torch.tensor(strides, device=cells.device)[level]
    row = torch.div(place, across, rounding_mode="floor")
    centre = (torch.stack([place - row * across, row]) + 0.5) * pixels  # (2, K)
    sides = answers[:, :4].clamp(-furthest, furthest).exp() * pixels
    points = answers[:, 5:].reshape(answers.size(0), 5, 2, answers.size(2)) * pixels + centre
    parts = [centre - sides[:, :2], centre + sides[:, 2:], answers[:, 4:5].sigmoid(), points.flatten(1, 2)]
    return torch.cat(parts, dim=1).transpose(1, 2)
