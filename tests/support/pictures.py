"""Test images."""

import io
import struct
import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image


def two_colours() -> Image.Image:
    """Returns an image of 64 x 32 pixels: the left half red, the right half blue."""
    image = Image.new("RGB", (64, 32), (200, 30, 30))
    image.paste((30, 30, 200), (32, 0, 64, 32))
    return image


def png_of_size(width: int, height: int) -> bytes:
    """Returns a PNG of a few bytes whose header claims the given size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    return signature + content


def draw_spots(points: NDArray[np.floating], size: int, radius: float) -> NDArray[np.uint8]:
    """Draws a Gaussian spot of light, `radius` pixels wide, at each point (N, 2) of a grey image (size, size, 3)."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) + 0.5
    light = np.full((size, size), 60.0, np.float32)
    for left, top in points:
        light += 190 * np.exp(-((x - left) ** 2 + (y - top) ** 2) / (2 * radius**2))
    return light.clip(0, 255).round().astype(np.uint8)[..., None].repeat(3, axis=2)


def spot_centre(image: NDArray[np.uint8], x: float, y: float, reach: int = 7) -> NDArray[np.float64]:
    """Measures the centre of the spot that lies within `reach` pixels of (x, y): x and y, pixel centres at halves."""
    left, top = int(x) - reach, int(y) - reach
    patch = image[top : top + 2 * reach, left : left + 2 * reach, 0].astype(float) - 60
    patch[patch < 20] = 0
    ys, xs = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]] + 0.5
    return np.array([(patch * xs).sum() / patch.sum() + left, (patch * ys).sum() / patch.sum() + top])


def random_photos(count: int, height: int = 70, width: int = 101) -> torch.Tensor:
    """Returns the same noise in every call, uint8 (count, height, width, 3)."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=generator)


def noise(width: int, height: int) -> Image.Image:
    """Returns the same smooth noise in every call."""
    rough = np.random.default_rng(0).integers(0, 255, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return Image.fromarray(rough).resize((width, height))


def many_scans(scans: int, width: int = 1000, height: int = 1000) -> bytes:
    """Returns a small progressive JPEG whose last scan is repeated: each takes as long as a whole picture."""
    stream = io.BytesIO()
    Image.new("RGB", (width, height), "grey").save(stream, "JPEG", progressive=True)
    whole = stream.getvalue()
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * scans + whole[-2:]
