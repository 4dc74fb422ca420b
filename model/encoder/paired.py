"""Two networks side by side, a fully connected layer over both, and a small network that says how readable a face is.

The networks are SFace and Open Model Zoo's retail-0095 (model/encoder/sface.py, retail_0095.py). One crop serves both:
retail-0095 sees its middle, SFace the whole at a smaller size.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.encoder.retail_0095 import Retail0095
from model.encoder.sface import SFace

SIZE: Final = 136  # pixels a side of a crop, whose landmarks lie as in the template "sface"
VECTORS: Final = Retail0095.DIM + SFace.DIM  # 384: of both networks
FEATURES: Final = VECTORS + 2
LEFT, TOP = 4, 5  # of retail-0095's part of the crop, pixels; there, the landmarks lie as in its own template
JUDGE_HIDDEN: Final = 64  # units of the network that judges readability


class PairedBranches(nn.Module):
    """Crops (B, 3, SIZE, SIZE), RGB levels 0..255 -> features (B, FEATURES).

    The features are the unit vectors of both networks, then the logarithms of the lengths that they had.
    """

    top: Final[int]
    left: Final[int]
    retail_size: Final[int]
    sface_size: Final[int]
    retail_mean: Tensor
    sface_mean: Final[float]
    retail_scale: Final[float]
    sface_scale: Final[float]

    def __init__(self) -> None:
        super().__init__()
        self.top, self.left = TOP, LEFT
        self.retail_size, self.sface_size = Retail0095.SIZE, SFace.SIZE
        self.retail_scale, self.sface_scale, self.sface_mean = Retail0095.SCALE, SFace.SCALE, SFace.MEAN[0]
        self.retail, self.sface = Retail0095(), SFace()
        self.register_buffer("retail_mean", torch.tensor(Retail0095.MEAN).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        bottom, right = self.top + self.retail_size, self.left + self.retail_size
        part = pixels[:, :, self.top : bottom, self.left : right]
        retail = self.retail((part - self.retail_mean) / self.retail_scale).float()  # (B, 256)
        whole = F.interpolate(pixels, size=(self.sface_size, self.sface_size), mode="bilinear", align_corners=False)
        sface = self.sface((whole - self.sface_mean) / self.sface_scale).float()  # (B, 128)
        squares = torch.stack([retail.square().sum(dim=1), sface.square().sum(dim=1)], dim=1)  # (B, 2)
        return torch.cat(
            [F.normalize(retail, dim=1), F.normalize(sface, dim=1), squares.clamp_min(1e-12).log() / 2], dim=1
        )


class PairedEncoder(nn.Module):
    """One branch of the Siamese network: crops -> embeddings, and the recognizability of each face.

    Recognizability is the cosine, 0..1, that the embedding of this crop is expected to have with that of a good photo
    of the same person.
    """

    crop_size: Final[int]
    embedding_dim: Final[int]
    vectors: Final[int]

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.crop_size, self.embedding_dim, self.vectors = SIZE, embedding_dim, VECTORS
        self.branches = PairedBranches()
        self.project = nn.Linear(VECTORS, embedding_dim)
        self.judge = nn.Sequential(nn.Linear(FEATURES, JUDGE_HIDDEN), nn.ReLU(), nn.Linear(JUDGE_HIDDEN, 1))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Encodes RGB crops, uint8 (B, S, S, 3). Returns unit vectors (B, D) and recognizability (B,), both float32.

        Raises RuntimeError on another shape or dtype.
        """
        if crops.dtype != torch.uint8:
            raise RuntimeError("crops must be uint8")
        if crops.dim() != 4 or crops.size(1) != self.crop_size or crops.size(2) != self.crop_size or crops.size(3) != 3:
            raise RuntimeError("crops must have the shape (B, crop_size, crop_size, 3)")
        # A permuted NHWC tensor is NCHW in channels_last format, so this needs no copy.
        features = self.branches(crops.permute(0, 3, 1, 2).float())
        return self.embed_features(features), self.recognizability(features)

    def embed_features(self, features: Tensor) -> Tensor:
        """Features (B, FEATURES) of the branches -> unit vectors (B, D)."""
        return F.normalize(self.project(features[:, : self.vectors]), dim=1)

    def recognizability(self, features: Tensor) -> Tensor:
        """Features (B, FEATURES) of the branches -> recognizability (B,), 0..1."""
        return torch.sigmoid(self.judge(features)[:, 0])
