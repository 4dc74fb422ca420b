"""The face detector's file: weights, thresholds, landmark frame and their story, checked as the encoder's bundle is."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.images import Pixels
from model.runtime.forms import Engine, FastestNetwork, Form, Network, choose_fastest, compile_forms
from model.runtime.torchscript import (
    ARTIFACTS,
    BundleError,
    Scripted,
    digest_of,
    freeze,
    load_scripted,
    metadata_of,
    save_scripted,
    script,
)

SCHEMA: Final = 1
LOCATOR: Final = ARTIFACTS / "detector" / "locator.pt"
TOLERANCE: Final = 0.1  # pixels, and hundredths of the score
TIMED_SIZES: Final = ((128, 128), (480, 640))  # rows and columns of the photos for which the forms are timed


@dataclass(frozen=True)
class LocatorMetadata:
    """Everything that finding faces with these weights takes. `evaluation` is missing until it was measured."""

    schema: int
    name: str
    version: str
    detector_id: str
    least_score: float  # 0..1, from which on an answer is a face ...
    last_score: float  # ... and the best of a photo with no such answer, if it is large
    sure_score: float  # see model/face.py
    turned_score: float
    frame: tuple[tuple[float, float], ...]  # of its landmarks; see model/face.py
    architecture: Mapping[str, Any]
    training: Mapping[str, Any]  # config, command, data, licence, history in brief
    git_commit: str
    torch_version: str
    evaluation: Mapping[str, Any] | None = None

    @property
    def full_name(self) -> str:
        """Name, version and the beginning of the identity: another training is another detector."""
        return f"{self.name}-{self.version}-{self.detector_id[:8]}"


class _Maps(nn.Module):
    """The part of the network that may run in several forms, as a module of its own."""

    def __init__(self, finder: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.finder = finder

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps: list[Tensor] = self.finder.maps(images)
        return maps[0], maps[1], maps[2]


@dataclass(frozen=True)
class LocatorBundle:
    """A loaded file: `module` is a scripted model/detector/finder.py's FaceFinder on its device."""

    module: torch.jit.ScriptModule
    metadata: LocatorMetadata
    golden: Mapping[str, NDArray[Any]]  # photo uint8 (H, W, 3); faces float32 (F, 15)
    path: Path
    engine: Engine = Engine.TORCHSCRIPT

    @cached_property
    def serving(self) -> FastestNetwork:
        """The maps in the form that is fastest here; each form finds the golden faces. Raises BundleError.

        Fused convolutions are left out: the layout of their weights depends on the size of the photo.
        """
        inputs = [torch.zeros(1, *size, 3, dtype=torch.uint8) for size in TIMED_SIZES]
        try:
            forms = compile_forms(maps_of(self), inputs[0], (0, 1, 2), fusable=False, engine=self.engine)
        except RuntimeError as error:
            raise BundleError(f"{self.path} cannot be computed by {self.engine}: {error}") from error
        return choose_fastest(forms, self._check, [x.to(self.device) for x in inputs])

    @cached_property
    def device(self) -> torch.device:
        return next(iter(self.module.state_dict().values())).device  # type: ignore[no-any-return]

    @cached_property
    def _frozen(self) -> torch.jit.ScriptModule:
        return freeze(self.module, ("faces",))

    def find(self, images: Tensor, least_score: float) -> list[Tensor]:
        """RGB uint8 (B, H, W, 3) on any device -> for each image its faces (F, 15), on this bundle's device, as
        FaceFinder.forward returns them. Threads may call it at once."""
        return self._find(self.serving, images, least_score)

    @torch.inference_mode()
    def _find(self, network: Network, images: Tensor, least_score: float) -> list[Tensor]:
        images = images.to(self.device)
        found: list[Tensor] = self._frozen.faces(images, list(network(images)), least_score)
        return found

    def self_check(self) -> None:
        """Looks at the golden photo on the module's device, as it serves. Raises BundleError where the faces are others
        than sealed, by more than TOLERANCE."""
        self._check(Form.FROZEN, self.serving)

    def _check(self, form: Form, network: Network) -> None:
        photo = torch.from_numpy(self.golden["photo"])[None]
        (found,) = self._find(network, photo, self.metadata.least_score)
        faces, expected = found.cpu().numpy(), self.golden["faces"]
        units = np.where(np.arange(expected.shape[1]) == 4, 0.01, 1.0)
        if faces.shape != expected.shape or not (np.abs(faces - expected) <= TOLERANCE * units).all():
            raise BundleError(f"{self.path} finds other faces than it should ({form}). Install the pinned torch.")


def maps_of(bundle: LocatorBundle) -> torch.jit.ScriptModule:
    """The part of the network that may run in several forms: RGB uint8 (B, H, W, 3) -> its three maps."""
    return script(_Maps(bundle.module))


def create_locator(path: Path, network: nn.Module, metadata: LocatorMetadata, photo: Pixels) -> LocatorBundle:
    """Scripts the network, fills in `detector_id`, seals the faces of `photo`, uint8 (H, W, 3), and writes the file
    atomically. Raises ValueError where it finds none there: then there would be nothing to check."""
    module = script(network)
    metadata = replace(metadata, detector_id=_identity(module, metadata))
    with torch.inference_mode():
        faces = module(torch.from_numpy(photo)[None], metadata.least_score)[0].numpy()
    if not len(faces):
        raise ValueError("the network finds no face on the golden photo")
    return _save(LocatorBundle(module, metadata, {"photo": photo, "faces": faces}, path))


def reseal_locator(bundle: LocatorBundle, evaluation: Mapping[str, Any]) -> LocatorBundle:
    """The same detector with what was measured of it, in the same file, atomically."""
    return _save(replace(bundle, metadata=replace(bundle.metadata, evaluation=evaluation)))


def load_locator(path: Path = LOCATOR, device: str = "cpu", engine: Engine = Engine.TORCHSCRIPT) -> LocatorBundle:
    """Reads the file and checks that its weights are those its metadata names. Raises BundleError."""
    read = load_scripted(path, device, ("photo", "faces"))
    metadata = metadata_of(read, LocatorMetadata, SCHEMA, path)
    if _identity(read.module, metadata) != metadata.detector_id:
        raise BundleError(f"{path}: the weights are not those that its metadata names")
    return LocatorBundle(read.module, metadata, read.golden, path, engine)


def _identity(module: torch.jit.ScriptModule, metadata: LocatorMetadata) -> str:
    scores = [metadata.least_score, metadata.last_score, metadata.sure_score, metadata.turned_score]
    return digest_of(module.state_dict(), json.dumps([scores, [list(point) for point in metadata.frame]]))


def _save(bundle: LocatorBundle) -> LocatorBundle:
    metadata = json.dumps(asdict(bundle.metadata), indent=1)
    save_scripted(bundle.path, Scripted(bundle.module, metadata, bundle.golden))
    return bundle
