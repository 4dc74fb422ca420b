"""Loads the networks onto the device that the settings name."""

import logging
from dataclasses import dataclass
from pathlib import Path

from app.inference.encoder import keep_float32, resolve_device
from model.detector.factory import open_detector
from model.encoder.bundle import Bundle, Precision, load_bundle
from model.face import FaceDetector
from model.runtime.forms import Engine
from model.runtime.torchscript import BundleError

log = logging.getLogger("facetwin")


@dataclass(frozen=True)
class Networks:
    """The encoder's bundle and the detector, both on `device`."""

    device: str
    bundle: Bundle
    detector: FaceDetector


def load_networks(choice: str, path: Path, precision: Precision, engine: Engine) -> Networks:
    """Loads the bundle at `path`, and the detector, onto the chosen device: `auto`, `cpu` or `cuda`.

    `auto` takes the CPU, and says so in the log, if the GPU does not reproduce the golden results of both networks.
    Raises BundleError, and ValueError for an absent cuda.
    """
    device = resolve_device(choice)
    if choice != "auto" or device == "cpu":
        return _load(device, path, precision, engine)
    try:
        networks = _load(device, path, precision, engine)
        networks.bundle.self_check()
    except (BundleError, RuntimeError) as error:  # torch raises RuntimeError, as for too little memory
        # Loaded first: if the CPU has the same problem, it is not the GPU's.
        networks = _load("cpu", path, precision, engine)
        log.warning("the GPU is not used", extra={"reason": str(error)})
    return networks


def _load(device: str, path: Path, precision: Precision, engine: Engine) -> Networks:
    keep_float32(device)
    return Networks(device, load_bundle(path, device, precision, engine), open_detector(device, engine))
