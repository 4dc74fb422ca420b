"""Random numbers for a batch of pictures, and JPEG compression of one."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor


class Draw:
    """Random numbers, one for each picture of the batch, shaped to broadcast over (B, 3, S, S)."""

    def __init__(self, batch: int, generator: torch.Generator, device: torch.device | None = None) -> None:
        """`device`: where the numbers go; they are drawn on the CPU, so that they do not depend on it."""
        self._batch, self._generator, self._device = batch, generator, device or torch.device("cpu")

    def uniform(self, low: float, high: float, channels: int = 1) -> Tensor:
        """Numbers from low to high, (B, channels, 1, 1)."""
        values = torch.rand(self._batch, channels, 1, 1, generator=self._generator)
        return low + (high - low) * values.to(self._device)

    def chance(self, probability: float) -> Tensor:
        """True with this probability, (B, 1, 1, 1)."""
        return self.uniform(0, 1) < probability

    def integer(self, low: int, high: int) -> int:
        """One number for the whole batch, `low` and `high` included."""
        return int(torch.randint(low, high + 1, (), generator=self._generator))

    def noise(self, shape: torch.Size) -> Tensor:
        """Numbers of mean 0 and standard deviation 1."""
        return torch.randn(shape, generator=self._generator).to(self._device)


def compress_jpeg(picture: Tensor, quality: int) -> Tensor:
    """RGB levels 0..255, float (3, S, S) -> the same after a real JPEG encoder of this quality, 1..95."""
    stream = io.BytesIO()
    pixels = picture.permute(1, 2, 0).round().clamp(0, 255).byte().cpu().numpy()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(stream))).permute(2, 0, 1).to(picture)
