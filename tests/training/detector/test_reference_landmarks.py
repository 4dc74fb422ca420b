import numpy as np
import pytest

from model.alignment import CHIP_SIZE, chip_template
from training.data.errors import DataError
from training.detector.reference_landmarks import fit_reference_landmarks, scale_landmarks


def face_with_landmarks(points: np.ndarray) -> np.ndarray:
    """A face of score 1 with these landmarks, (1, 15)."""
    centre = points.mean(axis=0)
    return np.concatenate([centre - 40, centre + 40, [1.0], points.ravel()]).astype(np.float32)[None]


def test_reference_landmarks_are_fitted_in_the_chips_of_the_labels() -> None:
    template = chip_template(CHIP_SIZE)
    offsets = np.array([[1.0, 0], [0, 2.0], [-1, 0], [0, 0], [0, 0]])
    rotation = np.array([[0.8, -0.6], [0.6, 0.8]])
    labels, detections = [], []
    for scale, shift in ((0.5, 30.0), (2.0, -7.0), (1.0, 0.0)):
        labels.append(face_with_landmarks(template @ rotation.T * scale + shift))
        detections.append(face_with_landmarks((template + offsets) @ rotation.T * scale + shift))
    np.testing.assert_allclose(fit_reference_landmarks(detections, labels), template + offsets, atol=0.01)


def test_a_detector_that_finds_no_face_has_no_reference_landmarks() -> None:
    label = face_with_landmarks(chip_template(CHIP_SIZE))
    with pytest.raises(DataError, match="finds no face"):
        fit_reference_landmarks([label[:0]], [label])


def test_landmarks_are_scaled_about_the_centre_of_the_chip() -> None:
    centre = CHIP_SIZE / 2
    scaled = scale_landmarks(np.array([[centre, centre], [centre + 10, centre]]), 1.1)
    np.testing.assert_allclose(scaled, [[centre, centre], [centre + 11, centre]])
