"""The file of the liveness networks: weights, crop rule, threshold and measured error rates, checked like an encoder's.

The service loads it only if liveness is asked for.
"""

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
from model.liveness.surroundings import BoxCorrection, CropRule
from model.runtime.forms import Engine, FastestNetwork, Form, Network, choose_fastest, compile_forms
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

SCHEMA: Final = 1
LIVENESS: Final = ARTIFACTS / "liveness" / "liveness.pt"
TOLERANCE: Final = 1e-4  # of the golden scores
MAX_CPU_BATCH: Final = 8  # faces that a CPU judges at once, as many as the encoder encodes
TIMED_BATCHES: Final = (1, 2, MAX_CPU_BATCH)


@dataclass(frozen=True)
class LivenessMetadata:
    """What a service needs to know about the weights. `threshold` and `evaluation` are None until measured."""

    schema: int
    name: str
    version: str
    liveness_id: str
    crop_size: int  # pixels
    scales: tuple[float, ...]  # see CropRule
    correction: BoxCorrection  # for the boxes of `detector`
    detector: str
    source: str  # of the weights, with the commit
    licence: str
    agreement: Mapping[str, Any]  # with the authors' own code on photos
    git_commit: str
    torch_version: str
    threshold: float | None = None  # of the score; a face from it on counts as live
    evaluation: Mapping[str, Any] | None = None

    @property
    def crop_rule(self) -> CropRule:
        """How a face is cut out for these weights."""
        return CropRule(self.scales, self.crop_size, self.correction)


@dataclass(frozen=True)
class LivenessBundle:
    """A loaded file. `module` is a scripted LivenessEnsemble (model/liveness/ensemble.py) on its device."""

    module: torch.jit.ScriptModule
    metadata: LivenessMetadata
    golden: Mapping[str, NDArray[Any]]  # crops uint8 (G, N, S, S, 3), scores float32 (G,)
    path: Path
    engine: Engine = Engine.TORCHSCRIPT

    @cached_property
    def serving(self) -> FastestNetwork:
        """The networks in the form that is fastest here for each batch size.

        Raises BundleError if no form reproduces the golden scores.
        """
        size, scales = self.metadata.crop_size, len(self.metadata.scales)
        inputs = [torch.zeros(faces, scales, size, size, 3, dtype=torch.uint8) for faces in TIMED_BATCHES]
        try:
            forms = compile_forms(self.module, inputs[-1], (0,), fusable=True, engine=self.engine)
        except RuntimeError as error:
            raise BundleError(f"{self.path} does not run on {self.engine}: {error}. Choose another engine.") from error
        return choose_fastest(forms, self._check, [x.to(self.device) for x in inputs])

    @cached_property
    def device(self) -> torch.device:
        return next(iter(self.module.state_dict().values())).device  # type: ignore[no-any-return]

    def judge(self, crops: Pixels) -> NDArray[np.float32]:
        """Scores faces, 0..1, by their crops (B, N, S, S, 3) as `metadata.crop_rule` cuts them: (B,), high is live.

        Several threads may call it at once, after `serving` was read or `self_check` called once. Raises RuntimeError
        on another shape or dtype.
        """
        return self._judge(self.serving, crops)

    def self_check(self) -> float:
        """Judges the golden crops on the module's device, in the form that serves.

        Returns the largest difference from the golden scores. Raises BundleError if it exceeds TOLERANCE.
        """
        crops = torch.from_numpy(self.golden["crops"][:MAX_CPU_BATCH])
        return self._check(self.serving.form_for(crops), self.serving)

    def _judge(self, network: Network, crops: Pixels) -> NDArray[np.float32]:
        shape = (len(self.metadata.scales), self.metadata.crop_size, self.metadata.crop_size, 3)
        if crops.dtype != np.uint8 or crops.ndim != 5 or crops.shape[1:] != shape:
            raise RuntimeError(f"crops must be uint8 of shape (B, {', '.join(map(str, shape))})")
        pixels = torch.from_numpy(np.ascontiguousarray(crops))
        with torch.inference_mode():
            parts = torch.split(pixels, MAX_CPU_BATCH) if self.device.type == "cpu" else (pixels.to(self.device),)
            return np.concatenate([network(part)[0].numpy(force=True) for part in parts])

    def _check(self, form: Form, network: Network) -> float:
        expected = self.golden["scores"]
        try:
            scores = self._judge(network, self.golden["crops"])
        except RuntimeError as error:  # an operator that the device does not support
            raise BundleError(f"{self.path} does not run on {self.device} ({form}): {error}.") from error
        difference = float(np.abs(scores - expected).max()) if scores.shape == expected.shape else np.inf
        if not difference <= TOLERANCE:
            raise BundleError(
                f"{self.path} does not reproduce its golden scores on {self.device} ({form}, largest difference "
                f"{difference:.2g}). Use another device or install the pinned torch version (constraints.txt)."
            )
        return difference


def create_liveness(path: Path, network: nn.Module, metadata: LivenessMetadata, crops: Pixels) -> LivenessBundle:
    """Scripts the network and writes it to `path` atomically, with its `liveness_id` and the scores of golden crops.

    `crops` is uint8 (G, N, S, S, 3). Raises ValueError if their scores are all alike: they could not show a fault.
    """
    module = script(network.cpu().eval().requires_grad_(False))
    with torch.inference_mode():
        scores = module(torch.from_numpy(crops)).numpy()
    if np.ptp(scores) < 100 * TOLERANCE:
        raise ValueError("the scores of the golden crops are all alike; choose other crops")
    metadata = replace(metadata, liveness_id=_compute_liveness_id(module, metadata))
    return _save(LivenessBundle(module, metadata, {"crops": crops, "scores": scores}, path))


def update_measurements(bundle: LivenessBundle, threshold: float, evaluation: Mapping[str, Any]) -> LivenessBundle:
    """Rewrites the same networks with another threshold and evaluation, atomically."""
    return _save(replace(bundle, metadata=replace(bundle.metadata, threshold=threshold, evaluation=evaluation)))


def load_liveness(path: Path = LIVENESS, device: str = "cpu", engine: Engine = Engine.TORCHSCRIPT) -> LivenessBundle:
    """Loads a file onto `device`.

    Raises BundleError if it is missing or damaged, or if its weights do not match its `liveness_id`.
    """
    file = load_scripted(path, device, ("crops", "scores"))
    metadata = parse_metadata(file, LivenessMetadata, SCHEMA, path)
    if _compute_liveness_id(file.module, metadata) != metadata.liveness_id:
        raise BundleError(f"{path}: the weights do not match the liveness_id in the metadata. Get the file again.")
    return LivenessBundle(file.module, metadata, file.golden, path, engine)


def _compute_liveness_id(module: torch.jit.ScriptModule, metadata: LivenessMetadata) -> str:
    rule = [metadata.crop_size, list(metadata.scales), asdict(metadata.correction), metadata.detector]
    return compute_digest(module.state_dict(), json.dumps(rule))


def _save(bundle: LivenessBundle) -> LivenessBundle:
    metadata = json.dumps(asdict(bundle.metadata), indent=1)
    save_scripted(bundle.path, ScriptedFile(bundle.module, metadata, bundle.golden))
    return bundle
