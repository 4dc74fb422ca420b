"""Encoders that others trained: a TorchScript or ONNX file that maps aligned crops to vectors becomes a bundle."""

import hashlib
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from model import alignment
from model.alignment import named_template
from model.detector.factory import open_detector
from model.encoder.bundle import SCHEMA, Bundle, BundleMetadata, create_bundle
from model.encoder.network import SiameseEncoder
from model.runtime.torchscript import BundleError, read_module, trace
from training.data.errors import DataError
from training.encoder.input_format import Colours, InputFormat
from training.provenance import git_commit

FACES: Final = 3  # with which a network is tried
TOLERANCE: Final = 1e-4  # largest difference of a vector when its face is encoded alone


class ImportedBackbone(nn.Module):
    """Gives RGB values 0..255, float (B, 3, S, S), to a network in the form that it reads; returns vectors (B, D)."""

    channels: Tensor
    offset: Tensor
    divisor: Tensor

    def __init__(self, network: nn.Module, reads: InputFormat) -> None:
        super().__init__()
        self.network = network
        # A buffer, as everything that decides the vectors: encoder_id is computed from the state.
        self.register_buffer("channels", torch.tensor([2, 1, 0] if reads.colours is Colours.BGR else [0, 1, 2]))
        self.register_buffer("offset", torch.tensor(reads.mean).view(1, 3, 1, 1))
        self.register_buffer("divisor", torch.tensor(reads.std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        ordered = pixels.index_select(1, self.channels)  # (B, 3, S, S)
        vectors: Tensor = self.network((ordered - self.offset) / self.divisor)
        return vectors.flatten(1)


def import_encoder(file: Path, reads: InputFormat, licence: str, command: str, target: Path) -> Bundle:
    """Writes the network in `file` as a bundle, not calibrated yet, to `target`.

    Raises DataError if the file is neither TorchScript nor ONNX that can be read, or if the network does not map each
    crop to one vector of its own.
    """
    network = read_network(file, reads.size)
    backbone = ImportedBackbone(network, reads).eval()
    dimension = _check(backbone, reads.size, file)
    encoder = SiameseEncoder(backbone, reads.size, dimension, (0.0, 0.0, 0.0), 1.0)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    metadata = BundleMetadata(
        schema=SCHEMA,
        name=target.stem,
        version="1.0.0",
        encoder_id="",
        embedding_dim=dimension,
        crop_size=reads.size,
        template=tuple((float(x), float(y)) for x, y in named_template(reads.landmarks.template, reads.size)),
        alignment=alignment.PLAIN,
        detector=open_detector().name,
        architecture={
            "architecture": "imported",
            "reads": asdict(reads),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
        },
        training={
            "command": command,
            "data": "not known to facetwin",
            "started_from": f"{file.name}, SHA-256 {digest}",
            "licence": licence,
        },
        git_commit=git_commit(),
        torch_version=torch.__version__,
    )
    return create_bundle(target, encoder, metadata)


def read_network(file: Path, size: int) -> nn.Module:
    """Reads a network that takes float (B, 3, size, size). Raises DataError."""
    if file.suffix.lower() == ".onnx":
        return _read_onnx(file, size)
    try:
        return read_module(file)
    except BundleError as error:
        raise DataError(
            f"{error} Save the network with torch.jit.trace(network, crops).save(FILE), or give an .onnx file."
        ) from error


def _read_onnx(file: Path, size: int) -> nn.Module:
    import onnx
    from onnx2torch import convert

    try:
        converted = convert(onnx.load(file))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # converted layers check shapes in Python
            return trace(converted, torch.zeros(FACES, 3, size, size))
    except Exception as error:  # protobuf, onnx2torch and torch raise errors without a common type
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(
            f"{file} cannot be converted to TorchScript ({reason}). It must read float (B, 3, {size}, {size}), with "
            "any number B of faces. Save the network as TorchScript instead."
        ) from error


@torch.inference_mode()
def _check(backbone: ImportedBackbone, size: int, file: Path) -> int:
    """Returns the length of the vectors.

    Raises DataError if they are not one for each crop, finite and different, or if a face's vector depends on the faces
    beside it.
    """
    generator = torch.Generator().manual_seed(5)
    crops = torch.randint(0, 256, (FACES, 3, size, size), generator=generator).float()
    together = _encode(backbone, crops, file)
    alone = [_encode(backbone, crops[i : i + 1], file) for i in range(len(crops))]
    if together.ndim != 2 or len(together) != len(crops) or together.shape[1] < 2:
        raise DataError(
            f"{file} maps {len(crops)} crops to shape {tuple(together.shape)}; it must be ({len(crops)}, D): one "
            "vector for each."
        )
    if not bool(together.isfinite().all()):
        raise DataError(f"{file} computes numbers that are not finite. Check --mean, --std and --colours.")
    if float((together - torch.cat(alone)).abs().max()) > TOLERANCE:
        raise DataError(
            f"{file} gives a face another vector when other faces are beside it. Save the network in evaluation mode, "
            "so that batch normalization uses its stored statistics, and dropout is off."
        )
    if float((together[0] - together[1]).abs().max()) < TOLERANCE:
        raise DataError(f"{file} gives different crops the same vector. Check --mean, --std and --size.")
    return int(together.shape[1])


def _encode(backbone: nn.Module, crops: Tensor, file: Path) -> Tensor:
    try:
        vectors: Any = nn.functional.normalize(backbone(crops).float(), dim=1)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise DataError(
            f"{file} does not map {len(crops)} crops of {crops.shape[-1]} pixels to vectors ({reason}). Check --size; "
            "the network must return one tensor."
        ) from error
    return torch.as_tensor(vectors)
