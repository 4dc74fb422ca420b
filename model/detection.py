"""Where the faces are: the detector behind a protocol, and the retry in four orientations."""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from PIL import Image

from model.images import Pixels

# Three more looks at a turned photo are three more chances to take something else for a face.
TURNED_MIN_SCORE: Final = 0.95

# Left and right are the viewer's: the eye with the smaller x of an upright face comes first.
LANDMARKS: Final = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


@dataclass(frozen=True)
class Face:
    """A face in pixels of the photo as sent (EXIF applied); pixel centres lie at halves.

    `rotation` is how far the photo had to be turned counter-clockwise (0, 90, 180, 270 degrees) for the face to be
    found; the coordinates are those of the unturned photo all the same.
    """

    box: NDArray[np.float32]  # (4,) left, top, right, bottom
    landmarks: NDArray[np.float32]  # (5, 2) x, y in the order of LANDMARKS
    score: float  # 0..1, the detector's confidence
    rotation: int = 0

    @property
    def area(self) -> float:
        """Square pixels of the box."""
        left, top, right, bottom = (float(v) for v in self.box)
        return max(right - left, 0.0) * max(bottom - top, 0.0)


class FaceDetector(Protocol):
    """Finds upright faces."""

    @property
    def name(self) -> str:
        """Name and version; stored with every template, since landmarks differ between detectors."""
        ...

    def detect(self, image: Pixels) -> list[Face]:
        """Every face of an RGB image, uint8 (H, W, 3), best score first; an empty list where there is none."""
        ...


class MtcnnDetector:
    """MTCNN (Zhang et al. 2016, 'Joint Face Detection and Alignment using Multitask Cascaded Convolutional
    Networks'), the weights of facenet-pytorch 2.5.3.

    The long side is scaled down to `max_side` pixels first, so that the cost is bounded; after that, faces smaller
    than `min_face` pixels are not found.
    """

    name = "mtcnn-facenet-2.5.3"

    def __init__(self, device: str = "cpu", max_side: int = 640, min_face: int = 40) -> None:
        self._max_side = max_side
        self._min_face = min_face
        self._mtcnn = MTCNN(keep_all=True, min_face_size=min_face, device=torch.device(device))

    def detect(self, image: Pixels) -> list[Face]:
        height, width = image.shape[:2]
        scale = min(1.0, self._max_side / max(height, width))
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        if min(size) < self._min_face:
            return []  # not even one level of MTCNN's pyramid
        picture = Image.fromarray(image)
        if scale < 1.0:
            picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        boxes, scores, landmarks = self._run(picture)
        if boxes is None or scores is None or landmarks is None:
            return []
        back = np.array([width / size[0], height / size[1]], dtype=np.float32)
        faces = [
            Face(
                box=np.asarray(box, np.float32) * np.tile(back, 2),
                landmarks=np.asarray(points, np.float32) * back,
                score=float(score),
            )
            for box, score, points in zip(boxes, scores, landmarks, strict=True)
        ]
        return sorted(faces, key=lambda face: -face.score)

    def _run(self, picture: Image.Image) -> tuple[list[object] | None, list[float] | None, list[object] | None]:
        try:
            boxes, scores, landmarks = self._mtcnn.detect(picture, landmarks=True)
        except RuntimeError as error:
            if "non-empty list" in str(error):  # every candidate box degenerate: facenet-pytorch concatenates nothing
                return None, None, None
            raise
        return (None, None, None) if boxes is None else (list(boxes), list(scores), list(landmarks))


def detect_any_orientation(detector: FaceDetector, image: Pixels) -> list[Face]:
    """The faces of the image as it stands or, if there is none, of the first of its turns by 90, 180 and 270 degrees
    that shows any: phones and scanners often lose the orientation. Coordinates are those of the image as given."""
    faces = detector.detect(image)
    turns = 0
    while not faces and turns < 3:
        turns += 1
        turned = np.ascontiguousarray(np.rot90(image, turns))
        found = [face for face in detector.detect(turned) if face.score >= TURNED_MIN_SCORE]
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
