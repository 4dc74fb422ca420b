"""From the bytes of a photo to an aligned crop: one order of steps for training, evaluation and service."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.alignment import align, detail, template_for
from model.detector.orientation import detect_any_orientation
from model.face import Face, FaceDetector
from model.images import Decoded, ImageLimits, Pixels, decode_image, decode_scaled
from model.quality import Quality, assess_quality
from model.selection import FaceSelection, select_face

ENOUGH: Final = 1600 * 1200  # pixels of a JPEG that are decoded at first: more than any detector looks at


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
        self,
        detector: FaceDetector,
        template: NDArray[np.floating],
        size: int,
        limits: ImageLimits | None = None,
        enough: int | None = ENOUGH,
    ) -> None:
        """`template` (5, 2): where MTCNN's landmarks come to lie in crops of `size` pixels, and other detectors' beside
        them (see `template_for`). `enough`: see model/images.py's decode_scaled."""
        self.detector = detector
        self._template, self._size, self._limits = template_for(detector.frame, template), size, limits
        self._enough = enough

    def read(self, data: bytes, selection: FaceSelection) -> SeenFace:
        """The face that is meant. Raises what decode_image and select_face raise."""
        found = self._find(data)
        height, width = found.photo.pixels.shape[:2]
        face = select_face(found.faces, selection, width, height)
        start = time.perf_counter()
        crop = self._crop(found, face)
        whole = face.enlarged(found.photo.scale)
        quality = assess_quality(whole, crop)
        return SeenFace(whole, crop, quality, len(found.faces), {**found.ms, "align": _since(start)})

    def survey(self, data: bytes) -> SeenPhoto:
        """Every face; none is no error here. Raises what decode_image raises."""
        found = self._find(data)
        start = time.perf_counter()
        whole = [face.enlarged(found.photo.scale) for face in found.faces]
        crops = [self._crop(found, face) for face in found.faces]
        judged = tuple((face, assess_quality(face, crop)) for face, crop in zip(whole, crops, strict=True))
        return SeenPhoto(judged, found.photo.width, found.photo.height, {**found.ms, "align": _since(start)})

    def _find(self, data: bytes) -> "_Found":
        start = time.perf_counter()
        decoded = decode_scaled(data, self._limits, self._enough)
        taken = _since(start)
        start = time.perf_counter()
        faces = detect_any_orientation(self.detector, decoded.pixels)
        return _Found(data, self._limits, decoded, faces, {"decode": taken, "detect": _since(start)})

    def _crop(self, found: "_Found", face: Face) -> Pixels:
        image = found.photo.pixels
        if found.photo.scale > 1 and detail(face.landmarks, self._template) < 1:
            # Small in the photo: it takes all the detail that there is.
            image, face = found.every_pixel, face.enlarged(found.photo.scale)
        return align(image, face.landmarks, self._template, self._size)


@dataclass(frozen=True)
class _Found:
    """The faces of a photo, in pixels of what was decoded of it."""

    data: bytes
    limits: ImageLimits | None
    photo: Decoded
    faces: Sequence[Face]
    ms: Mapping[str, float]

    @cached_property
    def every_pixel(self) -> Pixels:
        return decode_image(self.data, self.limits)


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
