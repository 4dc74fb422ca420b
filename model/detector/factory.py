"""Opens a face detector by its name in the settings."""

from enum import StrEnum

from model.face import FaceDetector
from model.runtime.forms import Engine
from model.runtime.torchscript import BundleError


class DetectorKind(StrEnum):
    """The face detectors that can be chosen."""

    LOCATOR = "locator"  # facetwin's own network, the default
    MTCNN = "mtcnn"  # the cascade whose pseudo-labels trained the locator; an optional extra


def open_detector(
    kind: DetectorKind = DetectorKind.LOCATOR, device: str = "cpu", engine: Engine = Engine.TORCHSCRIPT
) -> FaceDetector:
    """Loads a detector onto `device` and checks it.

    `engine` applies to the locator only. Raises BundleError if the shipped file fails its check, or if MTCNN is not
    installed.
    """
    if kind is DetectorKind.LOCATOR:
        from model.detector.bundle import load_locator
        from model.detector.single_pass import SinglePassDetector

        bundle = load_locator(device=device, engine=engine)
        bundle.self_check()  # also warms the network up
        return SinglePassDetector(bundle)
    try:
        from model.detector.mtcnn import MtcnnDetector
    except ModuleNotFoundError as error:
        raise BundleError("MTCNN is not installed. Install the extra: pip install 'facetwin[mtcnn]'.") from error
    return MtcnnDetector(device)
