"""Where the faces are: which detector looks, and the retry in four orientations."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from model.face import Face, FaceDetector
from model.images import Pixels
from model.runtime.forms import Engine
from model.runtime.torchscript import BundleError


class DetectorKind(StrEnum):
    """What can find faces."""

    LOCATOR = "locator"  # facetwin's own, a single pass over the photo
    MTCNN = "mtcnn"  # the locator's teacher, a cascade; an optional extra


def open_detector(
    kind: DetectorKind = DetectorKind.LOCATOR, device: str = "cpu", engine: Engine = Engine.TORCHSCRIPT
) -> FaceDetector:
    """The detector, checked and ready. Raises BundleError where it cannot be had."""
    if kind is DetectorKind.LOCATOR:
        from model.detector.bundle import LOCATOR, load_locator
        from model.detector.single_pass import SinglePassDetector

        bundle = load_locator(LOCATOR, device, engine)
        bundle.self_check()  # which warms the network up, too
        return SinglePassDetector(bundle)
    try:
        from model.detector.mtcnn import MtcnnDetector
    except ModuleNotFoundError as error:
        raise BundleError("MTCNN is an extra of facetwin: install it with `pip install 'facetwin[mtcnn]'`.") from error
    return MtcnnDetector(device)


def detect_any_orientation(detector: FaceDetector, image: Pixels) -> list[Face]:
    """The faces of the image as it stands, unless there is none, or only doubtful ones, and one of its turns by 90, 180
    and 270 degrees shows a better: phones and scanners often lose the orientation. Coordinates are those of the image
    as given."""
    faces = detector.detect(image)
    best = max((face.score for face in faces), default=0.0)
    if faces and best >= detector.sure_score:
        return faces
    for turns in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(image, turns))
        # Three more looks at a turned photo are three more chances to take something else for a face.
        found = [face for face in detector.detect(turned) if face.score >= detector.turned_score]
        if found and found[0].score > best:
            best = found[0].score
            faces = [_turn_back(face, turns, image.shape[1], image.shape[0]) for face in found]
    return faces


def _turn_back(face: Face, turns: int, width: int, height: int) -> Face:
    """Undo `turns` quarter turns counter-clockwise of an image of width x height."""
    corners = _points_back(face.box.reshape(2, 2), turns, width, height)
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return Face(box, _points_back(face.landmarks, turns, width, height), face.score, rotation=90 * turns)


def _points_back(points: NDArray[np.float32], turns: int, width: int, height: int) -> NDArray[np.float32]:
    x, y = points[:, 0], points[:, 1]
    if turns == 1:
        x, y = width - y, x
    elif turns == 2:
        x, y = width - x, height - y
    elif turns == 3:
        x, y = y, height - x
    return np.stack([x, y], axis=1).astype(np.float32)
