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
from torch import nn

from model.images import Pixels
from model.scripted import (
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


@dataclass(frozen=True)
class LocatorBundle:
    """A loaded file: `module` is a scripted model/finder.py's FaceFinder on its device."""

    module: torch.jit.ScriptModule
    metadata: LocatorMetadata
    golden: Mapping[str, NDArray[Any]]  # photo uint8 (H, W, 3); faces float32 (F, 15)
    path: Path

    @cached_property
    def serving(self) -> torch.jit.ScriptModule:
        """The module as it computes fastest: the same function. Its convolutions are too small to gain by
        model/fusion.py."""
        return freeze(self.module)

    def self_check(self) -> None:
        """Looks at the golden photo on the module's device, as it serves. Raises BundleError where the faces are others
        than sealed, by more than TOLERANCE."""
        device = next(iter(self.module.state_dict().values())).device
        faces = _look(self.serving, self.golden["photo"], self.metadata.least_score, device)
        expected = self.golden["faces"]
        units = np.where(np.arange(expected.shape[1]) == 4, 0.01, 1.0)
        if faces.shape != expected.shape or not (np.abs(faces - expected) <= TOLERANCE * units).all():
            raise BundleError(f"{self.path} finds other faces than it should. Install the pinned torch.")


def create_locator(path: Path, network: nn.Module, metadata: LocatorMetadata, photo: Pixels) -> LocatorBundle:
    """Scripts the network, fills in `detector_id`, seals the faces of `photo`, uint8 (H, W, 3), and writes the file
    atomically. Raises ValueError where it finds none there: then there would be nothing to check."""
    module = script(network)
    metadata = replace(metadata, detector_id=_identity(module, metadata))
    faces = _look(module, photo, metadata.least_score, torch.device("cpu"))
    if not len(faces):
        raise ValueError("the network finds no face on the golden photo")
    return _save(LocatorBundle(module, metadata, {"photo": photo, "faces": faces}, path))


def reseal_locator(bundle: LocatorBundle, evaluation: Mapping[str, Any]) -> LocatorBundle:
    """The same detector with what was measured of it, in the same file, atomically."""
    return _save(replace(bundle, metadata=replace(bundle.metadata, evaluation=evaluation)))


def load_locator(path: Path = LOCATOR, device: str = "cpu") -> LocatorBundle:
    """Reads the file and checks that its weights are those its metadata names. Raises BundleError."""
    read = load_scripted(path, device, ("photo", "faces"))
    metadata = metadata_of(read, LocatorMetadata, SCHEMA, path)
    if _identity(read.module, metadata) != metadata.detector_id:
        raise BundleError(f"{path}: the weights are not those that its metadata names")
    return LocatorBundle(read.module, metadata, read.golden, path)


def _identity(module: torch.jit.ScriptModule, metadata: LocatorMetadata) -> str:
    scores = [metadata.least_score, metadata.last_score, metadata.sure_score, metadata.turned_score]
    return digest_of(module.state_dict(), json.dumps([scores, [list(point) for point in metadata.frame]]))


@torch.inference_mode()
def _look(
    module: torch.jit.ScriptModule, photo: Pixels, least_score: float, device: torch.device
) -> NDArray[np.float32]:
    faces = module(torch.from_numpy(photo)[None].to(device), least_score)[0]
    return np.asarray(faces.cpu().numpy(), np.float32)


def _save(bundle: LocatorBundle) -> LocatorBundle:
    metadata = json.dumps(asdict(bundle.metadata), indent=1)
    save_scripted(bundle.path, Scripted(bundle.module, metadata, bundle.golden))
    return bundle
