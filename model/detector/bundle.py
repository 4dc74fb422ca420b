"""The face detector's file: weights, thresholds, reference landmarks and metadata, checked like an encoder's bundle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import AliasChoices, Field
from torch import Tensor, nn

from model.images import Pixels
from model.runtime.forms import Engine, FastestNetwork, Form, Network, choose_fastest, compile_forms
from model.runtime.torchscript import (
    ARTIFACTS,
    BundleError,
    ScriptedFile,
    compute_digest,
    freeze,
    load_scripted,
    parse_metadata,
    save_scripted,
    script,
)

SCHEMA: Final = 1
LOCATOR: Final = ARTIFACTS / "detector" / "locator.pt"
TOLERANCE: Final = 0.1  # of the golden faces: pixels, and hundredths of the score
TIMED_SIZES: Final = ((128, 128), (480, 640))  # heights and widths for which the forms are timed


@dataclass(frozen=True)
class LocatorMetadata:
    """What a detector needs to know about its weights. `evaluation` is None until it was measured."""

    schema: int
    name: str
    version: str
    detector_id: str
    least_score: float  # 0..1: minimum score of a face
    last_score: float  # 0..1: minimum score of the one large face that is returned if no face has `least_score`
    sure_score: float  # see FaceDetector
    turned_score: float  # see FaceDetector
    # Files of the first version call it `frame`.
    reference_landmarks: Annotated[
        tuple[tuple[float, float], ...], Field(validation_alias=AliasChoices("reference_landmarks", "frame"))
    ]  # see FaceDetector
    architecture: Mapping[str, Any]
    training: Mapping[str, Any]  # config, command, data, licence, short history
    git_commit: str
    torch_version: str
    evaluation: Mapping[str, Any] | None = None

    @property
    def full_name(self) -> str:
        """Name, version and the first characters of `detector_id`."""
        return f"{self.name}-{self.version}-{self.detector_id[:8]}"


class _Maps(nn.Module):
    """The part of a FaceFinder that may run in several forms."""

    def __init__(self, finder: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.finder = finder

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps: list[Tensor] = self.finder.maps(images)
        return maps[0], maps[1], maps[2]


@dataclass(frozen=True)
class LocatorBundle:
    """A loaded file. `module` is a scripted FaceFinder (model/detector/finder.py) on its device."""

    module: torch.jit.ScriptModule
    metadata: LocatorMetadata
    golden: Mapping[str, NDArray[Any]]  # photo uint8 (H, W, 3); faces float32 (F, 15)
    path: Path
    engine: Engine = Engine.TORCHSCRIPT

    @cached_property
    def serving(self) -> FastestNetwork:
        """Computes the maps in the form that is fastest here. Raises BundleError if no form finds the golden faces.

        Fused convolutions are left out: the layout of their weights depends on the size of the photo.
        """
        inputs = [torch.zeros(1, *size, 3, dtype=torch.uint8) for size in TIMED_SIZES]
        try:
            forms = compile_forms(script_maps(self), inputs[0], (0, 1, 2), fusable=False, engine=self.engine)
        except RuntimeError as error:
            raise BundleError(f"{self.path} does not run on {self.engine}: {error}. Choose another engine.") from error
        return choose_fastest(forms, self._check, [x.to(self.device) for x in inputs])

    @cached_property
    def device(self) -> torch.device:
        return next(iter(self.module.state_dict().values())).device  # type: ignore[no-any-return]

    @cached_property
    def _frozen(self) -> torch.jit.ScriptModule:
        return freeze(self.module, ("faces",))

    def detect(self, images: Tensor, least_score: float) -> list[Tensor]:
        """Detects the faces in RGB images, uint8 (B, H, W, 3) on any device.

        Returns the faces of each image, (F, 15) on this bundle's device, as FaceFinder.forward does. Several threads
        may call it at once, after `serving` was read or `self_check` called once.
        """
        return self._detect(self.serving, images, least_score)

    @torch.inference_mode()
    def _detect(self, network: Network, images: Tensor, least_score: float) -> list[Tensor]:
        images = images.to(self.device)
        found: list[Tensor] = self._frozen.faces(images, list(network(images)), least_score)
        return found

    def self_check(self) -> None:
        """Detects the faces in the golden photo on the module's device, in the form that serves.

        Raises BundleError if they differ from the stored faces by more than TOLERANCE.
        """
        photo = torch.from_numpy(self.golden["photo"])[None]
        self._check(self.serving.form_for(photo), self.serving)

    def _check(self, form: Form, network: Network) -> None:
        photo = torch.from_numpy(self.golden["photo"])[None]
        try:
            (found,) = self._detect(network, photo, self.metadata.least_score)
        except RuntimeError as error:
            raise BundleError(f"{self.path} cannot run on {self.device} ({form}): {error}") from error
        faces, expected = found.cpu().numpy(), self.golden["faces"]
        units = np.where(np.arange(expected.shape[1]) == 4, 0.01, 1.0)
        if faces.shape != expected.shape or not (np.abs(faces - expected) <= TOLERANCE * units).all():
            raise BundleError(
                f"{self.path} does not reproduce its golden faces ({form}). Install the pinned torch version "
                "(constraints.txt)."
            )


def script_maps(bundle: LocatorBundle) -> torch.jit.ScriptModule:
    """Scripts the part of the network that may run in several forms: RGB uint8 (B, H, W, 3) -> its three maps."""
    return script(_Maps(bundle.module))


def create_locator(path: Path, network: nn.Module, metadata: LocatorMetadata, photo: Pixels) -> LocatorBundle:
    """Scripts the network and writes it to `path` atomically, with its `detector_id` and the faces of the golden photo.

    `photo` is uint8 (H, W, 3). Raises ValueError if the network finds no face in it, since the file could not be
    checked.
    """
    module = script(network.cpu())
    metadata = replace(metadata, detector_id=_compute_detector_id(module, metadata))
    with torch.inference_mode():
        faces = module(torch.from_numpy(photo)[None], metadata.least_score)[0].numpy()
    if not len(faces):
        raise ValueError("the network finds no face in the golden photo; choose another photo")
    return _save(LocatorBundle(module, metadata, {"photo": photo, "faces": faces}, path))


def update_evaluation(bundle: LocatorBundle, evaluation: Mapping[str, Any]) -> LocatorBundle:
    """Rewrites the same detector with another `evaluation`, atomically."""
    return _save(replace(bundle, metadata=replace(bundle.metadata, evaluation=evaluation)))


def load_locator(path: Path = LOCATOR, device: str = "cpu", engine: Engine = Engine.TORCHSCRIPT) -> LocatorBundle:
    """Loads a detector's file onto `device`.

    Raises BundleError if it is damaged or its weights do not match its `detector_id`.
    """
    file = load_scripted(path, device, ("photo", "faces"))
    metadata = parse_metadata(file, LocatorMetadata, SCHEMA, path)
    if _compute_detector_id(file.module, metadata) != metadata.detector_id:
        raise BundleError(f"{path}: the weights do not match the detector_id in the metadata. Get the file again.")
    return LocatorBundle(file.module, metadata, file.golden, path, engine)


def _compute_detector_id(module: torch.jit.ScriptModule, metadata: LocatorMetadata) -> str:
    scores = [metadata.least_score, metadata.last_score, metadata.sure_score, metadata.turned_score]
    return compute_digest(
        module.state_dict(), json.dumps([scores, [list(point) for point in metadata.reference_landmarks]])
    )


def _save(bundle: LocatorBundle) -> LocatorBundle:
    metadata = json.dumps(asdict(bundle.metadata), indent=1)
    save_scripted(bundle.path, ScriptedFile(bundle.module, metadata, bundle.golden))
    return bundle
