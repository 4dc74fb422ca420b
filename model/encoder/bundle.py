"""An encoder's bundle: weights, preprocessing, calibration and metadata in one file."""

import json
from collections.abc import Mapping, Sequence
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
from model.encoder.encoding import Encoding, join_encodings
from model.images import Pixels
from model.runtime.forms import Engine, FastestNetwork, Form, Network, choose_fastest, compile_forms
from model.runtime.processor import has_bf16, instruction_set
from model.runtime.torchscript import (
    ARTIFACTS,
    BundleError,
    ScriptedFile,
    compute_digest,
    load_scripted,
    parse_metadata,
    save_scripted,
    script,
)

SCHEMA: Final = 2
# Faces that a CPU encodes at once. With more, the feature maps no longer fit its caches, which is a fifth slower.
MAX_CPU_BATCH: Final = 8
TIMED_BATCHES: Final = (1, 2, MAX_CPU_BATCH)  # for which the forms of the network are timed
FLOAT32_TOLERANCE: Final = 1e-4
BFLOAT16_COSINE: Final = 0.999


class Precision(StrEnum):
    """The number format of an encoder's convolutions."""

    FLOAT32 = "float32"
    BFLOAT16 = "bf16"


@dataclass(frozen=True)
class BundleMetadata:
    """What a service needs to know about its weights. `calibration` is None until `training calibrate` ran."""

    schema: int
    name: str
    version: str
    encoder_id: str
    embedding_dim: int
    crop_size: int  # pixels
    template: tuple[tuple[float, float], ...]  # positions of the five landmarks in the crop, pixels
    alignment: str
    detector: str  # for calibration and evaluation; `training` names the one for the training crops
    architecture: Mapping[str, Any]
    training: Mapping[str, Any]  # config, command, data, licence, seed, short history
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
    """A loaded bundle. `module` maps crops, uint8 (B, S, S, 3), to unit vectors, float32 (B, D), on its device; or to
    these and the recognizability (B,) of each face."""

    module: torch.jit.ScriptModule
    metadata: BundleMetadata
    golden: Mapping[str, NDArray[Any]]  # crops uint8 (G, S, S, 3); vectors float32 (G, D); recognizability (G,) or (0,)
    path: Path
    precision: Precision = Precision.FLOAT32
    engine: Engine = Engine.TORCHSCRIPT

    @cached_property
    def serving(self) -> FastestNetwork:
        """The network in the form that is fastest here for each batch size.

        Raises BundleError if no form reproduces the golden vectors.
        """
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
            raise BundleError(f"{self.path} does not run on {self.engine}: {error}. Choose another engine.") from error
        return choose_fastest(forms, self._check, [x.to(self.device) for x in inputs])

    @cached_property
    def device(self) -> torch.device:
        return next(iter(self.module.state_dict().values())).device  # type: ignore[no-any-return]

    def encode(self, crops: Pixels) -> Encoding:
        """Encodes aligned RGB crops, uint8 (B, S, S, 3).

        Several threads may call it at once, after `serving` was read or `self_check` called once. Raises RuntimeError
        on another shape or dtype.
        """
        return self._encode(self.serving, crops)

    def _encode(self, network: Network, crops: Pixels) -> Encoding:
        size = self.metadata.crop_size
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (size, size, 3):
            raise RuntimeError(f"crops must be uint8 of shape (B, {size}, {size}, 3)")
        pixels = torch.from_numpy(np.ascontiguousarray(crops))
        with torch.inference_mode():
            parts = torch.split(pixels, MAX_CPU_BATCH) if self.device.type == "cpu" else (pixels.to(self.device),)
            return join_encodings([_to_encoding(network(part)) for part in parts])

    def self_check(self) -> float:
        """Encodes the golden crops on the module's device, in the form that serves.

        Returns the largest difference from the golden vectors. Raises BundleError if it exceeds FLOAT32_TOLERANCE or,
        in bfloat16, if a cosine is below BFLOAT16_COSINE.
        """
        crops = torch.from_numpy(self.golden["crops"][:MAX_CPU_BATCH])
        return self._check(self.serving.form_for(crops), self.serving)

    def _check(self, form: Form, network: Network) -> float:
        expected = self.golden["vectors"]
        try:
            encoding = self._encode(network, self.golden["crops"])
        except RuntimeError as error:  # an operator that the device does not support
            raise BundleError(f"{self.path} does not run on {self.device}: {error}. Use another device.") from error
        vectors = encoding.vectors
        if vectors.shape != expected.shape:
            raise BundleError(f"{self.path} returns vectors of shape {vectors.shape} instead of {expected.shape}")
        difference = float(np.abs(vectors - expected).max())
        if encoding.recognizability is not None and form is not Form.FUSED_BF16:
            judged = np.abs(encoding.recognizability - self.golden["recognizability"])
            difference = max(difference, float(judged.max()))
        exact = form is not Form.FUSED_BF16
        if not (difference <= FLOAT32_TOLERANCE if exact else (vectors * expected).sum(1).min() >= BFLOAT16_COSINE):
            raise BundleError(
                f"{self.path} does not reproduce its golden vectors on {self.device} (largest difference "
                f"{difference:.2g}). Use another device or install the pinned torch version (constraints.txt)."
            )
        return difference


def shipped_bundles() -> dict[str, Path]:
    """Returns the bundles that come with facetwin, by name."""
    return {path.stem: path for path in sorted(ARTIFACTS.glob("*.pt"))}


def find_bundle(name_or_path: str) -> Path:
    """Returns the path of a shipped bundle by its name, or the given path. Raises BundleError if neither exists."""
    shipped = shipped_bundles()
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise BundleError(
        f"There is no bundle {name_or_path!r}. Give a file, or one of the shipped bundles: "
        f"{', '.join(shipped) or 'there are none'}."
    )


def create_bundle(path: Path, encoder: nn.Module, metadata: BundleMetadata) -> Bundle:
    """Scripts `encoder` and writes it to `path` atomically, with its `encoder_id` and the vectors of golden crops."""
    module = script(encoder.cpu())
    generator = torch.Generator().manual_seed(7)
    coarse = torch.rand(4, 3, 7, 7, generator=generator)
    smooth = nn.functional.interpolate(coarse, metadata.crop_size, mode="bicubic", align_corners=False)
    crops = (smooth.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous()  # (4, S, S, 3)
    with torch.inference_mode():
        encoding = _to_encoding(_as_tuple(module(crops)))
    metadata = replace(metadata, encoder_id=compute_encoder_id(module.state_dict(), metadata))
    judged = np.empty(0, np.float32) if encoding.recognizability is None else encoding.recognizability
    golden = {"crops": crops.numpy(), "vectors": encoding.vectors, "recognizability": judged}
    return _save(Bundle(module, metadata, golden, path))


def update_metadata(bundle: Bundle, **changes: Any) -> Bundle:
    """Rewrites the bundle with the same weights and changed metadata fields, atomically.

    Raises ValueError if `encoder_id` is among the changes.
    """
    if "encoder_id" in changes:
        raise ValueError("encoder_id follows from the weights and cannot be changed")
    return _save(replace(bundle, metadata=replace(bundle.metadata, **changes)))


def load_bundle(
    path: Path,
    device: str = "cpu",
    precision: Precision = Precision.FLOAT32,
    engine: Engine = Engine.TORCHSCRIPT,
) -> Bundle:
    """Loads a bundle onto `device`.

    Raises BundleError if it is damaged, if its weights do not match its `encoder_id`, or if this processor does not
    support `precision`.
    """
    if precision is Precision.BFLOAT16 and (device != "cpu" or not has_bf16()):
        raise BundleError(
            f"bf16 needs the CPU as device, with AVX-512; this is {device} with {instruction_set()}. "
            "Choose the precision float32."
        )
    file = load_scripted(path, device, ("crops", "vectors", "recognizability"))
    metadata = parse_metadata(file, BundleMetadata, SCHEMA, path)
    if compute_encoder_id(file.module.state_dict(), metadata) != metadata.encoder_id:
        raise BundleError(f"{path}: the weights do not match the encoder_id in the metadata. Get the file again.")
    return Bundle(file.module, metadata, file.golden, path, precision, engine)


def compute_encoder_id(state: Mapping[str, Tensor], metadata: BundleMetadata) -> str:
    """Returns the SHA-256 of everything that decides the vectors: the weights with their preprocessing constants, the
    alignment, averaging with the mirror image, and the size to which crops are scaled.

    Two encoders with the same id compute the same vectors. Calibration, detector and file layout do not enter.
    """
    preprocessing: list[Any] = [
        metadata.crop_size,
        [[float(v) for v in point] for point in metadata.template],
        metadata.alignment,
    ]
    if metadata.architecture.get("mirror"):
        preprocessing.append("mirror")
    if metadata.architecture.get("side"):
        preprocessing.append(f"side {metadata.architecture['side']}")
    return compute_digest(state, json.dumps(preprocessing))


def _as_tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


def _to_encoding(outputs: Sequence[Tensor]) -> Encoding:
    vectors, *judged = (each.numpy(force=True) for each in outputs)
    return Encoding(vectors, judged[0] if judged else None)


def _save(bundle: Bundle) -> Bundle:
    metadata = json.dumps(asdict(bundle.metadata), indent=1)
    save_scripted(bundle.path, ScriptedFile(bundle.module, metadata, bundle.golden))
    return bundle
