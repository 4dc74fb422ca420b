"""The Siamese network: one encoder whose weights both branches share, from uint8 crops to unit vectors.

Preprocessing and normalisation are inside the module, so that the exported file needs nothing but pixels.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.encoder.backbones import CompactResNet, DlibResNet, PaperNet


class SiameseEncoder(nn.Module):
    """One branch: pixels -> scaled -> backbone -> embedding of unit length."""

    crop_size: Final[int]
    embedding_dim: Final[int]
    mirror: Final[bool]
    side: Final[int]
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        crop_size: int,
        embedding_dim: int,
        mean: tuple[float, float, float],
        scale: float,
        mirror: bool = False,
        side: int = 0,
    ) -> None:
        """The backbone sees (level - mean) / scale. `mirror`: a face's vector is the mean direction of the face and
        its mirror image, which costs twice the time and takes away what depends on which way somebody looks. `side`:
        the pixels a side that the backbone sees, which costs less where it is smaller than the crop; 0: the crop's."""
        super().__init__()
        self.crop_size = crop_size
        self.embedding_dim = embedding_dim
        self.mirror = mirror
        self.side = side or crop_size
        self.backbone = backbone
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([scale] * 3).view(1, 3, 1, 1))

    def forward(self, crops: Tensor) -> Tensor:
        """uint8 RGB crops (B, S, S, 3) -> float32 unit vectors (B, D). Raises RuntimeError on another shape or type."""
        if crops.dtype != torch.uint8:
            raise RuntimeError("crops must be uint8")
        if crops.dim() != 4 or crops.size(1) != self.crop_size or crops.size(2) != self.crop_size or crops.size(3) != 3:
            raise RuntimeError("crops must have the shape (B, crop_size, crop_size, 3)")
        seen = torch.cat([crops, crops.flip(2)]) if self.mirror else crops
        # A permuted NHWC tensor already is NCHW in channels_last memory: no copy.
        vectors = self.embed(seen.permute(0, 3, 1, 2).float())
        if not self.mirror:
            return vectors
        return F.normalize(vectors[: len(crops)] + vectors[len(crops) :], dim=1)

    @torch.jit.export
    def embed(self, pixels: Tensor) -> Tensor:
        """RGB levels 0..255 as float (B, 3, S, S) -> (B, D), as they are: where augmented training batches enter."""
        if self.side != self.crop_size:
            pixels = F.interpolate(pixels, size=(self.side, self.side), mode="bilinear", align_corners=False)
        x = (pixels - self.mean) / self.std
        x = self.backbone(x)  # (B, D)
        return F.normalize(x.float(), dim=1)


class SiameseNetwork(nn.Module):
    """Two branches with one set of weights, joined by the distance of their embeddings."""

    def __init__(self, encoder: SiameseEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two batches of crops (B, S, S, 3) -> the Euclidean distance of each pair (B,), 0..2."""
        return pair_distance(self.encoder(first), self.encoder(second))


def pair_distance(first: Tensor, second: Tensor) -> Tensor:
    """Row by row, the Euclidean distance (B,) of unit vectors (B, D) and (B, D), by way of their cosine; its gradient
    is finite for equal rows too."""
    return (2.0 - 2.0 * (first * second).sum(dim=1)).clamp_min(1e-12).sqrt()


ARCHITECTURES: Final = ("paper", "compact_resnet", "dlib_resnet")


def build_encoder(
    architecture: str,
    crop_size: int,
    embedding_dim: int,
    width: float = 1.0,
    hidden: int = 512,
    dropout: float = 0.0,
    mirror: bool = False,
    side: int = 0,
) -> SiameseEncoder:
    """A new encoder with random weights. Raises ValueError on an unknown architecture or an impossible size."""
    mean, scale = (127.5, 127.5, 127.5), 64.0
    backbone: nn.Module
    match architecture:
        case "paper":
            backbone = PaperNet(side or crop_size, embedding_dim, width, hidden, dropout)
        case "compact_resnet":
            backbone = CompactResNet(side or crop_size, embedding_dim, width, hidden, dropout)
        case "dlib_resnet":
            if (crop_size, embedding_dim, width, hidden, dropout, side) != (150, 128, 1.0, 512, 0.0, 0):
                raise ValueError("dlib_resnet has one shape: crops of 150 px, 128 dimensions, no other option")
            backbone, mean, scale = DlibResNet(), DlibResNet.MEAN, DlibResNet.SCALE
        case _:
            raise ValueError(f"unknown architecture {architecture!r}; there are {', '.join(ARCHITECTURES)}")
    encoder = SiameseEncoder(backbone, crop_size, embedding_dim, mean, scale, mirror, side)
    return encoder.to(memory_format=torch.channels_last)
