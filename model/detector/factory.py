"""Opens the face detector."""

from pathlib import Path

from model.detector.bundle import DETECTOR, load_detector
from model.detector.multi_scale import MultiScaleDetector
from model.face import FaceDetector
from model.runtime.forms import Engine


def open_detector(device: str = "cpu", engine: Engine = Engine.TORCHSCRIPT, path: Path = DETECTOR) -> FaceDetector:
    """Loads the detector onto `device` and checks it. Raises BundleError if its file fails the check."""
    bundle = load_detector(path, device, engine)
    bundle.self_check()  # also warms the network up
    return MultiScaleDetector(bundle)
