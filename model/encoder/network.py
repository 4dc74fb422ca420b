"""The encoder that both branches of the Siamese network share: from uint8 crops to unit vectors.

Preprocessing and normalisation are part of the module, so the exported file takes plain pixels.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.encoder.backbones import CompactResNet, PaperNet
from model.encoder.retail_0095 import Retail0095
from model.encoder.sface import SFace


class SiameseEncoder(nn.Module):
    """One branch of the Siamese network: scales pixels, runs the backbone and normalises the embedding."""

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
        """The backbone gets (value - mean) / scale, for values 0..255.

        `mirror`: average the vectors of a crop and of its mirror image, which takes twice the time and gives both the
        same vector. `side`: size in pixels to which crops are scaled for the backbone; 0 keeps `crop_size`.
        """
        super().__init__()
        self.crop_size = crop_size
        self.embedding_dim = embedding_dim
        self.mirror = mirror
        self.side = side or crop_size
        self.backbone = backbone
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([scale] * 3).view(1, 3, 1, 1))

    def forward(self, crops: Tensor) -> Tensor:
        """Encodes RGB crops, uint8 (B, S, S, 3), to unit vectors, float32 (B, D).

        Raises RuntimeError on another shape or dtype.
        """
        if crops.dtype != torch.uint8:
            raise RuntimeError("crops must be uint8")
        if crops.dim() != 4 or crops.size(1) != self.crop_size or crops.size(2) != self.crop_size or crops.size(3) != 3:
            raise RuntimeError("crops must have the shape (B, crop_size, crop_size, 3)")
        batch = torch.cat([crops, crops.flip(2)]) if self.mirror else crops
        # A permuted NHWC tensor is NCHW in channels_last format, so this needs no copy.
        vectors = self.embed(batch.permute(0, 3, 1, 2).float())
        if not self.mirror:
            return vectors
        return F.normalize(vectors[: len(crops)] + vectors[len(crops) :], dim=1)

    @torch.jit.export
    def embed(self, pixels: Tensor) -> Tensor:
        """Encodes RGB values 0..255, float (B, 3, S, S), to unit vectors (B, D), without mirroring.

        Training passes augmented batches here.
        """
        if self.side != self.crop_size:
            pixels = F.interpolate(pixels, size=(self.side, self.side), mode="bilinear", align_corners=False)
        x = (pixels - self.mean) / self.std
        x = self.backbone(x)  # (B, D)
        return F.normalize(x.float(), dim=1)


ARCHITECTURES: Final = ("paper", "compact_resnet", "retail_0095", "sface")
PRETRAINED: Final[dict[str, type[Retail0095] | type[SFace]]] = {
    "retail_0095": Retail0095,
    "sface": SFace,
}


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
    """Builds an encoder with random weights. Raises ValueError on an unknown architecture or an unsupported size."""
    mean, scale = (127.5, 127.5, 127.5), 64.0
    backbone: nn.Module
    match architecture:
        case "paper":
            backbone = PaperNet(side or crop_size, embedding_dim, width, hidden, dropout)
        case "compact_resnet":
            backbone = CompactResNet(side or crop_size, embedding_dim, width, hidden, dropout)
        case "retail_0095" | "sface":
            kind = PRETRAINED[architecture]
            if (crop_size, embedding_dim, width, hidden, dropout, side) != (kind.SIZE, kind.DIM, 1.0, 512, 0.0, 0):
                raise ValueError(
                    f"{architecture} has one shape only: crops of {kind.SIZE} px, {kind.DIM} dimensions, and the "
                    "default options"
                )
            backbone, mean, scale = kind(), kind.MEAN, kind.SCALE
        case _:
            raise ValueError(f"unknown architecture {architecture!r}; choose one of {', '.join(ARCHITECTURES)}")
    encoder = SiameseEncoder(backbone, crop_size, embedding_dim, mean, scale, mirror, side)
    return encoder.to(memory_format=torch.channels_last)
