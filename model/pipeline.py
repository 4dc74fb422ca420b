"""The steps from an image file to an aligned crop, in the same order for training, evaluation and service."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.alignment import ALIGNMENTS, PLAIN, WIDENED, adapt_template, align, downscaling_factor, widen
from model.detector.orientation import detect_any_orientation
from model.face import Face, FaceDetector
from model.images import DecodedImage, ImageLimits, Pixels, decode_scaled
from model.quality import Quality, assess_quality
from model.selection import FaceSelection, select_face

# Of a photo that is decoded with fewer pixels. The detector is told the factor, so that it still finds small faces: a
# photo of up to 50 megapixels is decoded at 1/4 or more, at which the detector searches it (model/detector/levels.py).
MIN_DECODED_PIXELS: Final = 1600 * 1200


Decode = Callable[[bytes, ImageLimits | None, int | None], DecodedImage]  # as `decode_scaled`
Cut = Callable[[Pixels, Face], Pixels]  # cuts a face out of its image with its surroundings, as CropRule.cut


@dataclass(frozen=True)
class AlignedFace:
    """The selected face of a photo, ready for the encoder. `crop` is uint8 (S, S, 3); `surroundings` is what `cut`
    returned, if it was given."""

    face: Face
    crop: Pixels
    quality: Quality
    faces_in_photo: int
    timings_ms: Mapping[str, float]  # decode, detect, align
    ends_early: bool = False  # the photo is a JPEG without its end marker
    surroundings: Pixels | None = None


@dataclass(frozen=True)
class PhotoFaces:
    """Every face of a photo, best score first, and the size of the photo in pixels. `surroundings` holds what `cut`
    returned for each face, if it was given."""

    faces: tuple[tuple[Face, Quality], ...]
    width: int
    height: int
    timings_ms: Mapping[str, float]  # decode, detect, align
    ends_early: bool = False  # a JPEG without its end marker
    surroundings: tuple[Pixels, ...] = ()


class PhotoReader:
    """Decodes photos, detects their faces, aligns them and assesses their quality.

    Stateless: several threads may share one reader if they may share its detector.
    """

    def __init__(
        self,
        detector: FaceDetector,
        template: NDArray[np.floating],
        size: int,
        limits: ImageLimits | None = None,
        min_pixels: int | None = MIN_DECODED_PIXELS,
        decode: Decode = decode_scaled,
        alignment: str = PLAIN,
    ) -> None:
        """`template` (5, 2): positions of MTCNN's landmarks in crops of `size` pixels; it is adapted to the detector.
        `min_pixels`: see `decode_scaled`. `decode`: what decodes photos, in this process or another. `alignment`: one
        of model.alignment.ALIGNMENTS. Raises ValueError on another."""
        if alignment not in ALIGNMENTS:
            raise ValueError(f"the alignment {alignment} is none of {', '.join(ALIGNMENTS)}")
        self.detector = detector
        self.template = adapt_template(detector.reference_landmarks, template)
        self._size, self._limits, self._min_pixels, self._decode = size, limits, min_pixels, decode
        self._widens = alignment == WIDENED

    def read(self, data: bytes, selection: FaceSelection, cut: Cut | None = None) -> AlignedFace:
        """Returns the selected face, with its surroundings if `cut` is given.

        Raises what `decode_image` and `select_face` raise.
        """
        detection = self._detect(data)
        height, width = detection.photo.pixels.shape[:2]
        return self._aligned_face(detection, select_face(detection.faces, selection, width, height), cut)

    def _aligned_face(self, detection: "_Detection", face: Face, cut: Cut | None) -> AlignedFace:
        start = time.perf_counter()
        crop = self._align(detection, face)
        surroundings = None if cut is None else self._cut(detection, face, cut)
        face = face.scaled(detection.photo.scale)
        quality = assess_quality(face, crop)
        timings_ms = {**detection.timings_ms, "align": _ms_since(start)}
        ends_early = detection.photo.ends_early
        return AlignedFace(face, crop, quality, len(detection.faces), timings_ms, ends_early, surroundings)

    def read_all(
        self, data: bytes, selection: FaceSelection, most: int, cut: Cut | None = None
    ) -> tuple[AlignedFace, ...]:
        """Returns the selected face, then the others, the largest first, together at most `most`, each
        with its surroundings if `cut` is given.

        Raises what `decode_image` and `select_face` raise.
        """
        detection = self._detect(data)
        height, width = detection.photo.pixels.shape[:2]
        selected = select_face(detection.faces, selection, width, height)
        others = sorted((face for face in detection.faces if face is not selected), key=lambda face: -face.area)
        return tuple(self._aligned_face(detection, face, cut) for face in (selected, *others)[:most])

    def detect_all(self, data: bytes, cut: Cut | None = None) -> PhotoFaces:
        """Returns every face, possibly none, with its surroundings if `cut` is given. Raises what `decode_image`
        raises."""
        detection = self._detect(data)
        photo = detection.photo
        start = time.perf_counter()
        crops = [self._align(detection, face) for face in detection.faces]
        surroundings = tuple(self._cut(detection, face, cut) for face in detection.faces) if cut else ()
        faces = [face.scaled(photo.scale) for face in detection.faces]
        assessed = tuple((face, assess_quality(face, crop)) for face, crop in zip(faces, crops, strict=True))
        timings_ms = {**detection.timings_ms, "align": _ms_since(start)}
        return PhotoFaces(assessed, photo.width, photo.height, timings_ms, photo.ends_early, surroundings)

    def _detect(self, data: bytes) -> "_Detection":
        start = time.perf_counter()
        photo = self._decode(data, self._limits, self._min_pixels)
        decode_ms = _ms_since(start)
        start = time.perf_counter()
        faces = detect_any_orientation(self.detector, photo.pixels, photo.scale)
        timings_ms = {"decode": decode_ms, "detect": _ms_since(start)}
        return _Detection(photo, faces, timings_ms, lambda: self._decode(data, self._limits, None))

    def _align(self, detection: "_Detection", face: Face) -> Pixels:
        photo, face = self._find_pixels(detection, face)
        return align(photo.pixels, face.landmarks, self._template_for(face), self._size)

    def _template_for(self, face: Face) -> NDArray[np.float64]:
        """Where the landmarks of this face shall lie in its crop, (5, 2) pixels. Its scale does not matter."""
        return widen(self.template, face.landmarks) if self._widens else self.template

    def _cut(self, detection: "_Detection", face: Face, cut: Cut) -> Pixels:
        photo, face = self._find_pixels(detection, face)
        return cut(photo.pixels, face)

    def _find_pixels(self, detection: "_Detection", face: Face) -> tuple[DecodedImage, Face]:
        """The decoded photo from which a face is cut, and the face in its pixels."""
        photo = detection.photo
        if photo.scale > 1 and downscaling_factor(face.landmarks, self._template_for(face)) < 1:
            # The face is small in the reduced photo: its crop needs the full resolution.
            full = detection.full_resolution
            return full, face.scaled(photo.scale / full.scale)
        return photo, face


@dataclass(frozen=True)
class _Detection:
    """The faces of a photo, in pixels of the decoded image."""

    photo: DecodedImage
    faces: Sequence[Face]
    timings_ms: Mapping[str, float]
    decode_full: Callable[[], DecodedImage]

    @cached_property
    def full_resolution(self) -> DecodedImage:
        return self.decode_full()


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
