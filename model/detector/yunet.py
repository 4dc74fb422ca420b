"""YuNet (Wu, Peng, Yu 2023, 'YuNet: A Tiny Millisecond-level Face Detector'): faces of a photo in one pass.

Every cell of three feature maps, with strides of 8, 16 and 32 pixels, predicts a box, the chances that it is a face and
the landmarks of the face. The architecture is that of OpenCV Zoo's face_detection_yunet_2023mar, whose weights (MIT
licence) `training/detector/yunet_weights.py` reads. The four heads of a map are one head here, and the network takes
RGB instead of BGR. Decoding and non-maximum suppression are part of the module, so every device runs the same code.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.detector.boxes import suppress_overlaps
from model.detector.layout import MAX_IOU

STRIDES: Final = (8, 16, 32)  # pixels per cell of each map
# Candidates of a photo that are compared with each other, at most. The time grows with the square of their number;
# a photo of 50 megapixels of noise has 52,000; a photo with 108 faces has 2,600.
MAX_COMPARED: Final = 8192
CHANNELS: Final = 16  # of a map: 4 for the box, 2 logits (face among classes, face among cells), 10 for the landmarks


class YuNet(nn.Module):
    """Predicts boxes, scores and five landmarks of the faces in photos."""

    max_iou: Final[float]
    coarsest: Final[int]
    max_compared: Final[int]

    def __init__(self) -> None:
        super().__init__()
        self.max_iou, self.coarsest, self.max_compared = MAX_IOU, STRIDES[-1], MAX_COMPARED
        self.first = nn.Conv2d(3, 16, 3, 2, 1)
        self.stem = nn.Sequential(
            nn.ReLU(),
            Separable(16, 16),
            nn.MaxPool2d(2),
            Separable(16, 16),
            Separable(16, 32),
            Separable(32, 32),
            Separable(32, 64),
            nn.MaxPool2d(2),
        )
        self.fine = nn.Sequential(Separable(64, 64), Separable(64, 64))
        self.middle = nn.Sequential(nn.MaxPool2d(2), Separable(64, 64), Separable(64, 64))
        self.coarse = nn.Sequential(nn.MaxPool2d(2), Separable(64, 64), Separable(64, 64))
        self.fine_neck, self.middle_neck, self.coarse_neck = Separable(64, 64), Separable(64, 64), Separable(64, 64)
        self.fine_head = Separable(64, CHANNELS, last=True)
        self.middle_head = Separable(64, CHANNELS, last=True)
        self.coarse_head = Separable(64, CHANNELS, last=True)

    def forward(self, images: Tensor, least_score: float) -> list[Tensor]:
        """Detects the faces in RGB images, uint8 (B, H, W, 3) of any size.

        Returns the faces of each image, (F, VALUES) in pixels with pixel centres at halves, best score first. Scores
        lie in 0..1; only those of at least `least_score` are returned. Raises RuntimeError on another dtype or shape.
        """
        return self.faces(self.maps(to_nchw(images)), least_score)

    @torch.jit.export
    def maps(self, pixels: Tensor) -> list[Tensor]:
        """Computes the raw maps, one (B, CHANNELS, rows, columns) for each stride.

        `pixels`: RGB values 0..255 as float (B, 3, H, W). They are padded with black to a multiple of 32 pixels.
        """
        right = (self.coarsest - pixels.size(3) % self.coarsest) % self.coarsest
        bottom = (self.coarsest - pixels.size(2) % self.coarsest) % self.coarsest
        fine = self.fine(self.stem(self.first(F.pad(pixels, [0, right, 0, bottom]))))
        middle = self.middle(fine)
        coarse = self.coarse_neck(self.coarse(middle))
        middle = self.middle_neck(middle + F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        fine = self.fine_neck(fine + F.interpolate(middle, scale_factor=2.0, mode="nearest"))
        return [self.fine_head(fine), self.middle_head(middle), self.coarse_head(coarse)]

    @torch.jit.export
    def faces(self, maps: list[Tensor], least_score: float) -> list[Tensor]:
        """Decodes the result of `maps` to the faces of each image, (F, VALUES), as `forward` does.

        Of more than MAX_COMPARED candidates, only the best are decided between.
        """
        found: list[Tensor] = []
        for image in range(maps[0].size(0)):
            parts: list[Tensor] = []
            stride = 8.0
            for each in maps:
                parts.append(decode_map(each[image].float(), stride, least_score))
                stride = stride * 2.0
            faces = torch.cat(parts)
            if faces.size(0) > self.max_compared:
                faces = faces[faces[:, 4].topk(self.max_compared)[1]]
            found.append(faces[suppress_overlaps(faces[:, :4], faces[:, 4], self.max_iou)])
        return found


class Separable(nn.Module):
    """A pointwise and a depthwise 3x3 convolution, with a ReLU unless it is the `last` layer."""

    is_last: Final[bool]

    def __init__(self, channels_in: int, channels: int, last: bool = False) -> None:
        super().__init__()
        self.is_last = last
        self.pointwise = nn.Conv2d(channels_in, channels, 1)
        self.depthwise = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.depthwise(self.pointwise(x))
        return y if self.is_last else F.relu(y)


def to_nchw(images: Tensor) -> Tensor:
    """Converts RGB images from uint8 (B, H, W, 3) to float (B, 3, H, W), 0..255.

    Raises RuntimeError on another dtype or shape.
    """
    if images.dtype != torch.uint8 or images.dim() != 4 or images.size(3) != 3:
        raise RuntimeError("images must be uint8 (B, H, W, 3)")
    return images.permute(0, 3, 1, 2).float()


def decode_map(values: Tensor, stride: float, least_score: float) -> Tensor:
    """Decodes the cells of one map (CHANNELS, rows, columns) whose score is at least `least_score`, (F, VALUES)."""
    scores = (values[4].sigmoid() * values[5].sigmoid()).sqrt()  # (rows, columns)
    row, column = (scores >= least_score).nonzero().unbind(1)
    chosen = values[:, row, column]  # (CHANNELS, F)
    cell = torch.stack([column, row]).to(values.dtype)  # (2, F)
    centre, half = (cell + chosen[:2]) * stride, chosen[2:4].exp() * (stride / 2.0)
    landmarks = ((chosen[6:].view(5, 2, -1) + cell) * stride).flatten(0, 1)
    return torch.cat([centre - half, centre + half, scores[row, column][None], landmarks]).T
