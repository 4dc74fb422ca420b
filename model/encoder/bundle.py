"""The encoder's bundle: weights, preprocessing, calibration and their story in one file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.calibration import Calibration
from model.images import Pixels
from model.runtime.forms import Engine, FastestNetwork, Form, Network, choose_fastest, compile_forms
from model.runtime.processor import has_bf16, instruction_set
from model.runtime.torchscript import (
    ARTIFACTS,
    BundleError,
    Scripted,
    digest_of,
    load_scripted,
    metadata_of,
    save_scripted,
    script,
)

SCHEMA: Final = 1
# Faces that the processor encodes at once: the maps of more do not stay in its caches, which costs a fifth of the time.
IN_CACHE: Final = 8
TIMED_BATCHES: Final = (1, 2, IN_CACHE)  # numbers of faces for which the forms of the network are timed
FLOAT32_TOLERANCE: Final = 1e-4
BFLOAT16_COSINE: Final = 0.999


class Precision(StrEnum):
    """In which the convolutions of an encoder compute."""

    FLOAT32 = "float32"
    BFLOAT16 = "bf16"


@dataclass(frozen=True)
class BundleMetadata:
    """Everything a service must know of its weights. `calibration` is missing until `training calibrate` has run."""

    schema: int
    name: str
    version: str
    encoder_id: str
    embedding_dim: int
    crop_size: int  # pixels
    template: tuple[tuple[float, float], ...]  # where the five landmarks lie in the crop, pixels
    alignment: str
    detector: str  # that of the photos on which it was calibrated and evaluated; `training` names its own
    architecture: Mapping[str, Any]
    training: Mapping[str, Any]  # config, command, data, licence, seed, history in brief
    git_commit: str
    torch_version: str
    calibration: Calibration | None = None
    evaluation: Mapping[str, Any] | None = None

    @property
    def template_array(self) -> NDArray[np.float64]:
        """The alignment template as (5, 2) float64, pixels."""
        return np.array(self.template, np.float64)


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle: `module` maps uint8 (B, S, S, 3) to float32 (B, D) on its device."""

    module: torch.jit.ScriptModule
    metadata: BundleMetadata
    golden: Mapping[str, NDArray[Any]]  # crops uint8 (G, S, S, 3); vectors float32 (G, D)
    path: Path
    precision: Precision = Precision.FLOAT32
    engine: Engine = Engine.TORCHSCRIPT

    @cached_property
    def serving(self) -> FastestNetwork:
        """The network in the forms that are fastest here; each reproduces the golden vectors. Raises BundleError."""
        size = self.metadata.crop_size
        inputs = [torch.zeros(faces, size, size, 3, dtype=torch.uint8) for faces in TIMED_BATCHES]
        try:
            forms = compile_forms(
                self.module,
                inputs[-1],
                (0,),
                fusable=True,
                bf16=self.precision is Precision.BFLOAT16,
                engine=self.engine,
            )
        except RuntimeError as error:
            raise BundleError(f"{self.path} cannot be computed by {self.engine}: {error}") from error
        return choose_fastest(forms, self._check, [x.to(self.device) for x in inputs])

    @cached_property
    def device(self) -> torch.device:
        return next(iter(self.module.state_dict().values())).device  # type: ignore[no-any-return]

    def encode(self, crops: Pixels) -> NDArray[np.float32]:
        """Aligned RGB crops, uint8 (B, S, S, 3) -> unit vectors (B, D). Threads may call it at once. Raises
        RuntimeError on another shape or type."""
        return self._encode(self.serving, crops)

    def _encode(self, network: Network, crops: Pixels) -> NDArray[np.float32]:
        size = self.metadata.crop_size
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (size, size, 3):
            raise RuntimeError(f"crops must be uint8 of shape (B, {size}, {size}, 3)")
        pixels = torch.from_numpy(np.ascontiguousarray(crops))
        with torch.inference_mode():
            parts = torch.split(pixels, IN_CACHE) if self.device.type == "cpu" else (pixels.to(self.device),)
            return np.concatenate([network(part)[0].numpy(force=True) for part in parts])

    def self_check(self) -> float:
        """Replays the golden crops on the module's device, as it serves; the largest difference from the vectors they
        must give.

        Raises BundleError where it exceeds FLOAT32_TOLERANCE; in bfloat16, where a cosine is below BFLOAT16_COSINE.
        """
        bf16 = any(choice.form is Form.FUSED_BF16 for choice in self.serving.choices)
        return self._check(Form.FUSED_BF16 if bf16 else Form.FROZEN, self.serving)

    def _check(self, form: Form, network: Network) -> float:
        expected = self.golden["vectors"]
        try:
            vectors = self._encode(network, self.golden["crops"])
        except RuntimeError as error:  # torch's, of an operator that cannot do what it should
            raise BundleError(f"{self.path} cannot be computed on {self.device}: {error}") from error
        if vectors.shape != expected.shape:
            raise BundleError(f"{self.path} gives vectors of shape {vectors.shape}, not {expected.shape}")
        difference = float(np.abs(vectors - expected).max())
        exact = form is not Form.FUSED_BF16
        if not (difference <= FLOAT32_TOLERANCE if exact else (vectors * expected).sum(1).min() >= BFLOAT16_COSINE):
            raise BundleError(
                f"{self.path} computes other vectors on {self.device} than it should (largest difference "
                f"{difference:.2g}). Run on another device or install the pinned torch."
            )
        return difference


def shipped_bundles() -> dict[str, Path]:
    """The bundles that come with facetwin, by name."""
    return {path.stem: path for path in sorted(ARTIFACTS.glob("*.pt"))}


def find_bundle(name_or_path: str) -> Path:
    """The file of a shipped bundle's name, or the path itself. Raises BundleError where neither exists."""
    shipped = shipped_bundles()
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise BundleError(
        f"There is no bundle {name_or_path!r}: neither a file nor one of the shipped ({', '.join(shipped) or 'none'})."
    )


def create_bundle(path: Path, encoder: nn.Module, metadata: BundleMetadata) -> Bundle:
    """Scripts `encoder` whole, fills in `encoder_id`, seals golden vectors with it and writes the file atomically."""
    module = script(encoder)
    generator = torch.Generator().manual_seed(7)
    coarse = torch.rand(4, 3, 7, 7, generator=generator)
    smooth = nn.functional.interpolate(coarse, metadata.crop_size, mode="bicubic", align_corners=False)
    crops = (smooth.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous()  # (4, S, S, 3)
    with torch.inference_mode():
        vectors = module(crops)
    metadata = replace(metadata, encoder_id=encoder_id(module.state_dict(), metadata))
    golden = {"crops": crops.numpy(), "vectors": vectors.numpy()}
    return _save(Bundle(module, metadata, golden, path))


def reseal(bundle: Bundle, **changes: Any) -> Bundle:
    """The same weights with other metadata, in the same file, atomically. Raises ValueError on a change of identity."""
    if "encoder_id" in changes:
        raise ValueError("resealing cannot change which encoder this is")
    return _save(replace(bundle, metadata=replace(bundle.metadata, **changes)))


def load_bundle(
    path: Path,
    device: str = "cpu",
    precision: Precision = Precision.FLOAT32,
    engine: Engine = Engine.TORCHSCRIPT,
) -> Bundle:
    """Reads a bundle and checks that its weights are those its metadata names. Raises BundleError, also where this
    processor cannot compute in the precision."""
    if precision is Precision.BFLOAT16 and (device != "cpu" or not has_bf16()):
        raise BundleError(
            f"bf16 needs a CPU with AVX-512 and no GPU in use; this is {device} with {instruction_set()}. "
            "Set FACETWIN_PRECISION=float32."
        )
    read = load_scripted(path, device, ("crops", "vectors"))
    metadata = metadata_of(read, BundleMetadata, SCHEMA, path)
    if encoder_id(read.module.state_dict(), metadata) != metadata.encoder_id:
        raise BundleError(f"{path}: the weights are not those that its metadata names")
    return Bundle(read.module, metadata, read.golden, path, precision, engine)


def encoder_id(state: Mapping[str, Tensor], metadata: BundleMetadata) -> str:
    """SHA-256 over the weights (preprocessing constants among them), the alignment, whether the mirror image is
    averaged in, and to what side a crop is scaled, if it is: two encoders with the same id give the same vectors.
    Calibration, detector and file layout do not enter."""
    frame: list[Any] = [
        metadata.crop_size,
        [[float(v) for v in point] for point in metadata.template],
        metadata.alignment,
    ]
    if metadata.architecture.get("mirror"):
        frame.append("mirror")
    if metadata.architecture.get("side"):
        frame.append(f"side {metadata.architecture['side']}")
    return digest_of(state, json.dumps(frame))


def _save(bundle: Bundle) -> Bundle:
    metadata = json.dumps(asdict(bundle.metadata), indent=1)
    save_scripted(bundle.path, Scripted(bundle.module, metadata, bundle.golden))
    return bundle
