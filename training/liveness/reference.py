"""What the authors' own code answers on photos of LFW: their detector's boxes, and their networks' probabilities.

`reference_answers.json` holds the answers, without photos. They check the rebuilt networks and fit the correction of
the service's boxes. The authors' detector needs OpenCV 4; OpenCV 5 no longer reads its format.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from model.detector.boxes import box_iou
from model.detector.orientation import detect_any_orientation
from model.face import Face, FaceDetector
from model.images import Pixels, decode_image
from model.liveness.ensemble import SCALES, LivenessEnsemble
from model.liveness.minifasnet import CROP_SIZE
from model.liveness.surroundings import BoxCorrection, find_region, resize_bilinear
from training.data.errors import DataError
from training.data.photos import Photo

ANSWERS: Final = Path(__file__).with_name("reference_answers.json")
TOLERANCE: Final = 1e-4  # of a probability, from the same crop
SAME_FACE: Final = 0.3  # intersection over union from which two boxes show the same face


@dataclass(frozen=True)
class ReferenceAnswer:
    """The authors' answer on one photo."""

    box: tuple[int, int, int, int]  # left, top, width, height, as their code rounds it
    raw_box: tuple[float, float, float, float]  # left, top, right, bottom
    probabilities: NDArray[np.float64]  # (2, 3): of the classes, at each of SCALES


def load_answers(path: Path = ANSWERS) -> Mapping[str, ReferenceAnswer]:
    """The answers by name of the photo, PERSON/file."""
    answers = json.loads(path.read_text(encoding="utf-8"))["answers"]
    return {
        name: ReferenceAnswer(tuple(each["box"]), tuple(each["raw_box"]), np.array(each["probabilities"]))
        for name, each in answers.items()
    }


@dataclass(frozen=True)
class Agreement:
    """The largest differences of a probability from the authors' code."""

    photos: int
    same_crops: float  # from crops that OpenCV made, as in their code
    own_crops: float  # from the crops that the service makes at the same boxes


def measure_agreement(
    ensemble: LivenessEnsemble, photos: Mapping[str, Photo], answers: Mapping[str, ReferenceAnswer]
) -> Agreement:
    """Compares both networks with the answers. Raises DataError if they differ by more than TOLERANCE on equal crops,
    or a photo is missing."""
    import cv2

    same, own = 0.0, 0.0
    for name, answer in answers.items():
        image = decode_image(_find(photos, name).read())
        for row, (scale, network) in enumerate(zip(SCALES, (ensemble.near, ensemble.wide), strict=True)):
            left, top, right, bottom = find_region(image.shape[1], image.shape[0], answer.box, scale)
            region = np.ascontiguousarray(image[top : bottom + 1, left : right + 1])
            crops = np.stack([cv2.resize(region, (CROP_SIZE, CROP_SIZE)), resize_bilinear(region, CROP_SIZE)])
            pixels = torch.from_numpy(crops[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32))
            with torch.inference_mode():
                differences = network(pixels).softmax(1).numpy() - answer.probabilities[row]
            same, own = max(same, np.abs(differences[0]).max()), max(own, np.abs(differences[1]).max())
    if same > TOLERANCE:
        raise DataError(f"The networks differ from the authors' by {same:.2g}, more than {TOLERANCE:g}.")
    return Agreement(len(answers), float(same), float(own))


def fit_correction(
    detector: FaceDetector, photos: Mapping[str, Photo], answers: Mapping[str, ReferenceAnswer]
) -> tuple[BoxCorrection, Mapping[str, float]]:
    """The correction of a detector's boxes to those of the answers: medians over the photos on which both found the
    same face. Returns it with the number of these photos and the mean IoU without and with it.

    Raises DataError if a photo is missing, or fewer than half of the photos serve.
    """
    ours, theirs = [], []
    for name, answer in answers.items():
        image: Pixels = decode_image(_find(photos, name).read())
        box = np.array(answer.raw_box)
        face = _same_face(detect_any_orientation(detector, image), box)
        if face is not None and face.rotation == 0:
            ours.append(face.box)
            theirs.append(box)
    if len(ours) < len(answers) / 2:
        raise DataError(f"Only {len(ours)} of {len(answers)} photos show the same face to both detectors.")
    mine, reference = np.array(ours, np.float64), np.array(theirs)
    sides, wanted = mine[:, 2:] - mine[:, :2], reference[:, 2:] - reference[:, :2]
    moved = ((reference[:, :2] + reference[:, 2:]) - (mine[:, :2] + mine[:, 2:])) / 2 / sides
    right, down = np.median(moved, axis=0).round(3).tolist()
    width, height = np.median(wanted / sides, axis=0).round(3).tolist()
    correction = BoxCorrection(right, down, width, height)
    overlaps = {
        "photos": float(len(mine)),
        "iou_without": float(_overlaps(mine, reference).mean()),
        "iou_with": float(_overlaps(correction.apply(mine), reference).mean()),
    }
    return correction, overlaps


def _find(photos: Mapping[str, Photo], name: str) -> Photo:
    if name not in photos:
        raise DataError(f"LFW's photo {name} is missing. Run `python -m training download data`.")
    return photos[name]


def _same_face(faces: Sequence[Face], box: NDArray[np.float64]) -> Face | None:
    if not faces:
        return None
    overlaps = _overlaps(np.array([face.box for face in faces], np.float64), box[None])
    best = int(overlaps.argmax())
    return faces[best] if overlaps[best] >= SAME_FACE else None


def _overlaps(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(box_iou(torch.from_numpy(boxes), torch.from_numpy(others)).numpy(), np.float64)
