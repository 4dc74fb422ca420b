"""The face detector's file: weights, thresholds, reference landmarks and metadata, checked like an encoder's bundle."""

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

from model.detector.layout import VALUES
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

SCHEMA: Final = 3
DETECTOR: Final = ARTIFACTS / "detector" / "detector.pt"
TOLERANCE: Final = 0.1  # of the golden faces: pixels, hundredths of the score, and the refiner's values
GOLDEN_SCORE: Final = 0.5  # of the golden faces
# A photo, uint8 (H, W, 3), its faces (F, 15) and these at a glance (F, 11); crops, uint8 (C, S, S, 3), refined (C, 11);
# crops for the close look, uint8 (C, S, S, 3), and their logits (C,).
GOLDEN: Final = ("photo", "faces", "glanced", "crops", "refined", "close_crops", "close_logits")
TIMED_SIZES: Final = ((64, 64), (128, 160), (480, 640), (768, 1024))  # heights and widths for which the forms are timed
LAYOUT_SIZE: Final = (128, 160)  # the usual size of a reduced photo


@dataclass(frozen=True)
class DetectorMetadata:
    """What a detector needs to know about its weights. `evaluation` is None until it was measured."""

    schema: int
    name: str
    version: str
    detector_id: str
    candidate_score: float  # 0..1: minimum score of YuNet's candidates
    least_score: float  # 0..1: minimum chance of a face, see `score_weights`
    sure_score: float  # see FaceDetector
    turned_score: float  # see FaceDetector
    # The log-odds that a candidate is a face: a constant, and the weights of the logits of YuNet's score and of the
    # refiner's answer; fitted on validation photos (training/detector/score_calibration.py).
    score_weights: tuple[float, float, float]
    # Likewise for doubtful candidates: a constant, and the weights of the refiner's logit and of the close look's.
    close_weights: tuple[float, float, float]
    reference_landmarks: tuple[tuple[float, float], ...]  # see FaceDetector
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
class DetectorBundle:
    """A loaded file. `module` is a scripted FaceFinder (model/detector/finder.py) on its device."""

    module: torch.jit.ScriptModule
    metadata: DetectorMetadata
    golden: Mapping[str, NDArray[Any]]  # see GOLDEN
    path: Path
    engine: Engine = Engine.TORCHSCRIPT

    @cached_property
    def serving(self) -> FastestNetwork:
        """Computes the maps in the form that is fastest here. Raises BundleError if no form finds the golden faces.

        Fused convolutions get their weights in the layout for LAYOUT_SIZE. For photos of other sizes that may be the
        wrong one, which the times show.
        """
        example, *inputs = (torch.zeros(1, *size, 3, dtype=torch.uint8) for size in (LAYOUT_SIZE, *TIMED_SIZES))
        try:
            forms = compile_forms(script_maps(self), example, (0, 1, 2), fusable=True, engine=self.engine)
        except RuntimeError as error:
            raise BundleError(f"{self.path} does not run on {self.engine}: {error}. Choose another engine.") from error
        return choose_fastest(forms, self._check, [x.to(self.device) for x in inputs])

    @cached_property
    def device(self) -> torch.device:
        return next(iter(self.module.state_dict().values())).device  # type: ignore[no-any-return]

    @cached_property
    def _frozen(self) -> torch.jit.ScriptModule:
        return freeze(self.module, ("candidates", "glance", "refine", "look_closely"))

    def find_candidates(self, images: Tensor) -> list[Tensor]:
        """Finds candidates in RGB images, uint8 (B, H, W, 3) on any device.

        Returns those of each image, (F, 15) on this bundle's device, as FaceFinder.forward does. Several threads may
        call it at once, after `serving` was read or `self_check` called once.
        """
        return self._find(self.serving, images, self.metadata.candidate_score)

    @torch.inference_mode()
    def glance(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """Refines landmarks (F, 10) on their image, uint8 (1, H, W, 3), coarsely: (F, 11), see FaceFinder.glance."""
        values: Tensor = self._frozen.glance(images.to(self.device), landmarks.to(self.device))
        return values

    @torch.inference_mode()
    def refine(self, crops: Tensor) -> Tensor:
        """Looks at aligned crops, uint8 (F, S, S, 3), again: (F, 11) on this bundle's device, see FaceRefiner."""
        values: Tensor = self._frozen.refine(crops.to(self.device))
        return values

    @torch.inference_mode()
    def look_closely(self, crops: Tensor) -> Tensor:
        """Looks at doubtful candidates, uint8 (F, S, S, 3): logits (F,), see FaceFinder.look_closely."""
        logits: Tensor = self._frozen.look_closely(crops.to(self.device))
        return logits

    @torch.inference_mode()
    def _find(self, network: Network, images: Tensor, least_score: float) -> list[Tensor]:
        images = images.to(self.device)
        found: list[Tensor] = self._frozen.candidates(list(network(images)), least_score)
        return found

    def self_check(self) -> None:
        """Runs the golden photo and crops on the module's device, in the form that serves.

        Raises BundleError if the results differ from the stored ones by more than TOLERANCE.
        """
        photo = torch.from_numpy(self.golden["photo"])[None]
        self._check(self.serving.form_for(photo), self.serving)

    def _check(self, form: Form, network: Network) -> None:
        photo, crops, close = (torch.from_numpy(self.golden[name]) for name in ("photo", "crops", "close_crops"))
        try:
            (found,) = self._find(network, photo[None], GOLDEN_SCORE)
            glanced = self.glance(photo[None], torch.from_numpy(self.golden["faces"])[:, 5:])
            refined = self.refine(crops)
            logits = self.look_closely(close)
        except RuntimeError as error:
            raise BundleError(f"{self.path} cannot run on {self.device} ({form}): {error}") from error
        units = np.where(np.arange(VALUES) == 4, 0.01, 1.0)
        if not (
            _agree(found, self.golden["faces"], units)
            and _agree(glanced, self.golden["glanced"], 1.0)
            and _agree(refined, self.golden["refined"], 1.0)
            and _agree(logits, self.golden["close_logits"], 1.0)
        ):
            raise BundleError(
                f"{self.path} does not reproduce its golden faces ({form}). Install the pinned torch version "
                "(constraints.txt)."
            )


def _agree(found: Tensor, expected: NDArray[np.float32], units: NDArray[np.float64] | float) -> bool:
    values = found.cpu().numpy()
    return values.shape == expected.shape and bool((np.abs(values - expected) <= TOLERANCE * units).all())


def script_maps(bundle: DetectorBundle) -> torch.jit.ScriptModule:
    """Scripts the part of the network that may run in several forms: RGB uint8 (B, H, W, 3) -> its three maps."""
    return script(_Maps(bundle.module))


def create_detector(
    path: Path, network: nn.Module, metadata: DetectorMetadata, photo: Pixels, crops: Pixels, close_crops: Pixels
) -> DetectorBundle:
    """Scripts the network and writes it to `path` atomically, with its `detector_id` and the golden results.

    `photo` is uint8 (H, W, 3); `crops` and `close_crops` are uint8 (F, S, S, 3), see GOLDEN. Raises ValueError if the
    network finds no face in the photo, since the file could not be checked.
    """
    module = script(network.cpu().eval().requires_grad_(False))
    metadata = replace(metadata, detector_id=_compute_detector_id(module, metadata))
    with torch.inference_mode():
        faces = module(torch.from_numpy(photo)[None], GOLDEN_SCORE)[0].numpy()
        glanced = module.glance(torch.from_numpy(photo)[None], torch.from_numpy(faces[:, 5:])).numpy()
        refined = module.refine(torch.from_numpy(crops)).numpy()
        logits = module.look_closely(torch.from_numpy(close_crops)).numpy()
    if not len(faces):
        raise ValueError("the network finds no face in the golden photo; choose another photo")
    golden = dict(zip(GOLDEN, (photo, faces, glanced, crops, refined, close_crops, logits), strict=True))
    return _save(DetectorBundle(module, metadata, golden, path))


def update_evaluation(bundle: DetectorBundle, evaluation: Mapping[str, Any]) -> DetectorBundle:
    """Rewrites the same detector with another `evaluation`, atomically."""
    return _save(replace(bundle, metadata=replace(bundle.metadata, evaluation=evaluation)))


def load_detector(path: Path = DETECTOR, device: str = "cpu", engine: Engine = Engine.TORCHSCRIPT) -> DetectorBundle:
    """Loads a detector's file onto `device`.

    Raises BundleError if it is damaged or its weights do not match its `detector_id`.
    """
    file = load_scripted(path, device, GOLDEN)
    metadata = parse_metadata(file, DetectorMetadata, SCHEMA, path)
    if _compute_detector_id(file.module, metadata) != metadata.detector_id:
        raise BundleError(f"{path}: the weights do not match the detector_id in the metadata. Get the file again.")
    return DetectorBundle(file.module, metadata, file.golden, path, engine)


def _compute_detector_id(module: torch.jit.ScriptModule, metadata: DetectorMetadata) -> str:
    numbers = [
        [metadata.candidate_score, metadata.least_score, metadata.sure_score, metadata.turned_score],
        list(metadata.score_weights),
        list(metadata.close_weights),
        [list(point) for point in metadata.reference_landmarks],
    ]
    return compute_digest(module.state_dict(), json.dumps(numbers))


def _save(bundle: DetectorBundle) -> DetectorBundle:
    metadata = json.dumps(asdict(bundle.metadata), indent=1)
    save_scripted(bundle.path, ScriptedFile(bundle.module, metadata, bundle.golden))
    return bundle
