"""How large a face should be in its crop, by what the encoder makes of it: a choice, so on validation people."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from model.alignment import CHIP_SIZE
from model.detector.bundle import LocatorBundle
from model.detector.single_pass import SinglePassDetector
from model.encoder.bundle import Bundle
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.crops import PreparedFaces
from training.data.photos import Photo
from training.evaluation.embeddings import score
from training.metrics.verification import AllPairs


def scaled(frame: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """The frame (5, 2) larger by `scale` about the middle of the chip, so that the face fills more of its crop."""
    return (frame - CHIP_SIZE / 2) * scale + CHIP_SIZE / 2


def try_scales(
    locator: LocatorBundle, bundle: Bundle, photos: Sequence[Photo], scales: Sequence[float]
) -> Iterator[tuple[float, AllPairs]]:
    """Every pair of the photos, the faces in their crops larger by each of `scales` than in the detector's file."""
    metadata = bundle.metadata
    for scale in scales:
        detector = SinglePassDetector(locator)
        detector.frame = scaled(detector.frame, scale)
        reader = PhotoReader(detector, metadata.template_array, metadata.crop_size)
        seen = [reader.read(photo.read(), FaceSelection.CENTRAL) for photo in photos]
        faces = PreparedFaces(
            tuple(photo.name for photo in photos),
            np.stack([each.crop for each in seen]),
            np.stack([each.face.landmarks for each in seen]),
            {},
            detector.name,
            margin=0,
        )
        yield scale, score(bundle, faces, frozenset(faces.people)).all_pairs()
