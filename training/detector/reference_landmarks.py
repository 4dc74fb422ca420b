"""Reference landmarks: where a detector's landmarks lie, on average, in the face chips that MTCNN's landmarks define.

Each detector places landmarks a little differently. Alignment shifts its template by the difference, so that the crop
of a face does not depend on the detector; see model/alignment.py.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from model.alignment import CHIP_SIZE, chip_template, similarity_transform
from model.detector.bundle import DetectorBundle
from model.detector.multi_scale import MultiScaleDetector
from model.encoder.bundle import Bundle
from model.errors import PhotoError
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.errors import DataError
from training.data.photos import Photo
from training.data.prepared_faces import PreparedFaces
from training.detector.metrics import Detections, match_faces
from training.evaluation.embeddings import embed_people
from training.metrics.verification import PairScores


def fit_reference_landmarks(detections: Sequence[Detections], labels: Sequence[Detections]) -> NDArray[np.float64]:
    """Returns the median landmarks (5, 2) of the detections in the 150 px face chips of the labels they match.

    Raises DataError if no detection matches a label.
    """
    template = chip_template(CHIP_SIZE)
    in_chips = []
    for found, true in zip(detections, labels, strict=True):
        for row, label in match_faces(found, true):
            linear = similarity_transform(true[label, 5:].reshape(5, 2), template)
            in_chips.append(found[row, 5:].reshape(5, 2) @ linear[:, :2].T + linear[:, 2])
    if not in_chips:
        raise DataError("The trained detector finds no face of the validation photos. Train it for longer.")
    return np.asarray(np.median(in_chips, axis=0), np.float64)


def scale_landmarks(landmarks: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Scales landmarks (5, 2) about the centre of the chip. Above 1, a face fills more of its crop."""
    return (landmarks - CHIP_SIZE / 2) * scale + CHIP_SIZE / 2


def measure_scales(
    shipped: DetectorBundle, bundle: Bundle, photos: Sequence[Photo], scales: Sequence[float]
) -> Iterator[tuple[float, PairScores]]:
    """Yields, for each scale of the detector's reference landmarks, the scores of all pairs of the photos.

    Raises DataError naming a photo that cannot be read.
    """
    metadata = bundle.metadata
    for scale in scales:
        detector = MultiScaleDetector(shipped)
        detector.reference_landmarks = scale_landmarks(detector.reference_landmarks, scale)
        reader = PhotoReader(detector, metadata.template_array, metadata.crop_size, alignment=metadata.alignment)
        read = [_read(reader, photo) for photo in photos]
        faces = PreparedFaces(
            tuple(photo.name for photo in photos),
            np.stack([crop for crop, _ in read]),
            np.stack([landmarks for _, landmarks in read]),
            {},
            detector.name,
            margin=0,
        )
        yield scale, embed_people(bundle, faces, frozenset(faces.people)).all_pairs()


def _read(reader: PhotoReader, photo: Photo) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    try:
        face = reader.read(photo.read(), FaceSelection.CENTRAL)
    except PhotoError as error:
        raise DataError(f"{photo.name}: {error} Replace or remove the photo.") from error
    return face.crop, face.face.landmarks
