"""The face detection network: one pass over the photo, from pixels to boxes, scores and five landmarks.

Anchor-free like FCOS (Tian et al. 2019, 'FCOS: Fully Convolutional One-Stage Object Detection') and small like YuNet
(Wu, Peng, Yu 2023, 'YuNet: A Tiny Millisecond-level Face Detector'). Every cell of three feature maps, with strides of
8, 16 and 32 pixels, predicts whether it lies in the middle of a face, and where the sides and landmarks of that face
are. Decoding and non-maximum suppression are part of the module, so that every device runs the same code.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.detector.boxes import suppress_overlaps

LEVELS: Final = 3  # feature maps
FINEST_STRIDE: Final = 8.0  # pixels per cell of the first map; each further map doubles it
COARSEST_STRIDE: Final = 32
VALUES: Final = 15  # of a face: left, top, right, bottom, score, then x and y of each landmark
MAX_LOG_DISTANCE: Final = 5.0  # log of a side's distance from its cell, in cells; keeps an untrained network finite


class FaceLocator(nn.Module):
    """Predicts boxes, scores and landmarks of the faces in photos."""

    max_iou: Final[float]
    coarsest: Final[int]

    def __init__(self, width: float = 1.0, max_iou: float = 0.4) -> None:
        """`width` scales the number of channels. Non-maximum suppression drops a box whose intersection over union with
        a better one exceeds `max_iou`."""
        super().__init__()
        a, b, c, d = (max(int(n * width), 4) for n in (16, 32, 64, 96))
        self.max_iou, self.coarsest = max_iou, COARSEST_STRIDE
        self.stem = nn.Sequential(_convolution(3, a), _convolution(a, b))  # stride 4
        self.fine = nn.Sequential(_convolution(b, c), Separable(c, c), Separable(c, c))
        self.middle = nn.Sequential(Separable(c, d, 2), Separable(d, d), Separable(d, d))
        self.coarse = nn.Sequential(Separable(d, d, 2), Separable(d, d), Separable(d, d))
        self.fine_in, self.middle_in, self.coarse_in = nn.Conv2d(c, c, 1), nn.Conv2d(d, c, 1), nn.Conv2d(d, c, 1)
        self.fine_out, self.middle_out, self.coarse_out = _head(c), _head(c), _head(c)

    def forward(self, images: Tensor, least_score: float) -> list[Tensor]:
        """Detects the faces in RGB images, uint8 (B, H, W, 3) of any size.

        Returns the faces of each image, (F, VALUES) in pixels with pixel centres at halves, best score first. Scores
        lie in 0..1; only those of at least `least_score` are returned. Raises RuntimeError on another dtype or shape.
        """
        return self.faces(self.maps(to_nchw(images)), least_score)

    @torch.jit.export
    def faces(self, maps: list[Tensor], least_score: float) -> list[Tensor]:
        """Decodes the result of `maps` to the faces of each image, (F, VALUES), as `forward` does."""
        values = flatten_maps(maps)  # (B, VALUES, cells)
        selected = values[:, 4].sigmoid() >= least_score  # (B, cells)
        found: list[Tensor] = []
        for image in range(values.size(0)):
            cells = selected[image].nonzero().squeeze(1)
            faces = decode_cells(values[image : image + 1, :, cells], cells, maps)[0]
            found.append(faces[suppress_overlaps(faces[:, :4], faces[:, 4], self.max_iou)])
        return found

    @torch.jit.export
    def maps(self, pixels: Tensor) -> list[Tensor]:
        """Computes the raw output maps, one (B, VALUES, rows, columns) for each stride, for the loss or `decode_maps`.

        `pixels`: RGB values 0..255 as float (B, 3, H, W). They are padded with grey to a multiple of 32 pixels.
        """
        x = (pixels - 127.5) / 64.0
        right = (self.coarsest - pixels.size(3) % self.coarsest) % self.coarsest
        bottom = (self.coarsest - pixels.size(2) % self.coarsest) % self.coarsest
        x = F.pad(x, [0, right, 0, bottom])
        fine = self.fine(self.stem(x))
        middle = self.middle(fine)
        coarse = self.coarse_in(self.coarse(middle))
        middle = self.middle_in(middle) + F.interpolate(coarse, scale_factor=2.0, mode="nearest")
        fine = self.fine_in(fine) + F.interpolate(middle, scale_factor=2.0, mode="nearest")
        return [self.fine_out(fine), self.middle_out(middle), self.coarse_out(coarse)]


class Separable(nn.Module):
    """A depthwise 3x3 and a pointwise convolution, with a residual connection where input and output have one shape."""

    is_residual: Final[bool]

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.is_residual = stride == 1 and channels_in == channels
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_in, 3, stride, 1, groups=channels_in, bias=False),
            nn.BatchNorm2d(channels_in),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_in, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return F.relu(x + y) if self.is_residual else F.relu(y)


def to_nchw(images: Tensor) -> Tensor:
    """Converts RGB images from uint8 (B, H, W, 3) to float (B, 3, H, W), 0..255.

    Raises RuntimeError on another dtype or shape.
    """
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
        last.bias[4] = -4.6  # a prior of 0.01 that a cell is a face keeps the first losses small (Lin et al. 2017)
    return nn.Sequential(Separable(channels, channels), last)


def cell_centres(rows: int, columns: int, stride: float, device: torch.device) -> Tensor:
    """Returns x and y of the centre of each cell in pixels, (2, rows, columns)."""
    y, x = torch.meshgrid(
        torch.arange(rows, device=device, dtype=torch.float32),
        torch.arange(columns, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return (torch.stack([x, y]) + 0.5) * stride


def flatten_maps(maps: list[Tensor]) -> Tensor:
    """Concatenates the network's maps to (B, VALUES, cells), map by map and row by row."""
    return torch.cat([values.flatten(2) for values in maps], dim=2).float()


def decode_maps(maps: list[Tensor]) -> Tensor:
    """Decodes the network's maps to the face of every cell, (B, cells, VALUES), in pixels and scores 0..1."""
    values = flatten_maps(maps)
    return decode_cells(values, torch.arange(values.size(2), device=values.device), maps)


def decode_cells(
    values: Tensor, cells: Tensor, maps: list[Tensor], stride: float = FINEST_STRIDE, max_log: float = MAX_LOG_DISTANCE
) -> Tensor:
    """Decodes the raw values of some cells, (B, VALUES, K), to faces (B, K, VALUES).

    `cells` (K,): their indices in the order of `flatten_maps`. `maps` gives the shapes. `stride` is that of the first
    map in pixels, and doubles from map to map.
    """
    starts: list[int] = []
    columns: list[int] = []
    strides: list[float] = []
    count = 0
    for each in maps:
        starts.append(count)
        columns.append(each.size(3))
        strides.append(stride)
        count += each.size(2) * each.size(3)
        stride = stride * 2.0
    level = (cells >= starts[1]).long() + (cells >= starts[2]).long()
    index = cells - torch.tensor(starts, device=cells.device)[level]
    row_length = torch.tensor(columns, device=cells.device)[level]
    cell_size = torch.tensor(strides, device=cells.device)[level]
    row = torch.div(index, row_length, rounding_mode="floor")
    centre = (torch.stack([index - row * row_length, row]) + 0.5) * cell_size  # (2, K)
    sides = values[:, :4].clamp(-max_log, max_log).exp() * cell_size
    landmarks = values[:, 5:].reshape(values.size(0), 5, 2, values.size(2)) * cell_size + centre
    parts = [centre - sides[:, :2], centre + sides[:, 2:], values[:, 4:5].sigmoid(), landmarks.flatten(1, 2)]
    return torch.cat(parts, dim=1).transpose(1, 2)
