"""From the bytes of a photo to an aligned crop: one order of steps for training, evaluation and service."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.alignment import align, template_for
from model.detection import detect_any_orientation
from model.face import Face, FaceDetector
from model.images import ImageLimits, Pixels, decode_image
from model.quality import Quality, assess_quality
from model.selection import FaceSelection, select_face


@dataclass(frozen=True)
class SeenFace:
    """One face of a photo, ready for the encoder. `crop` is uint8 (S, S, 3)."""

    face: Face
    crop: Pixels
    quality: Quality
    faces_in_photo: int
    ms: Mapping[str, float]  # decode, detect, align


@dataclass(frozen=True)
class SeenPhoto:
    """Every face of a photo, best score first, with the photo's size in pixels."""

    faces: tuple[tuple[Face, Quality], ...]
    width: int
    height: int
    ms: Mapping[str, float]


class PhotoReader:
    """Decodes, finds, aligns and judges. Stateless, so that threads may share one."""

    def __init__(
        self, detector: FaceDetector, template: NDArray[np.floating], size: int, limits: ImageLimits | None = None
    ) -> None:
        """`template` (5, 2): where MTCNN's landmarks come to lie in crops of `size` pixels, and other detectors' beside
        them (see `template_for`)."""
        self.detector = detector
        self._template, self._size, self._limits = template_for(detector.frame, template), size, limits

    def read(self, data: bytes, selection: FaceSelection) -> SeenFace:
        """The face that is meant. Raises what decode_image and select_face raise."""
        image, faces, ms = self._find(data)
        face = select_face(faces, selection, image.shape[1], image.shape[0])
        start = time.perf_counter()
        crop = self._align(image, face)
        quality = assess_quality(face, crop)
        return SeenFace(face, crop, quality, len(faces), {**ms, "align": _since(start)})

    def survey(self, data: bytes) -> SeenPhoto:
        """Every face; none is no error here. Raises what decode_image raises."""
        image, faces, ms = self._find(data)
        start = time.perf_counter()
        judged = tuple((face, assess_quality(face, self._align(image, face))) for face in faces)
        return SeenPhoto(judged, image.shape[1], image.shape[0], {**ms, "align": _since(start)})

    def _find(self, data: bytes) -> tuple[Pixels, list[Face], dict[str, float]]:
        start = time.perf_counter()
        image = decode_image(data, self._limits)
        decoded = _since(start)
        start = time.perf_counter()
        faces = detect_any_orientation(self.detector, image)
        return image, faces, {"decode": decoded, "detect": _since(start)}

    def _align(self, image: Pixels, face: Face) -> Pixels:
        return align(image, face.landmarks, self._template, self._size)


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
