import numpy as np
import pytest

from training.detector.metrics import compare, landmark_error, overlaps


def face(x: float, y: float, side: float, score: float, shift: float = 0.0) -> np.ndarray:
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    points = np.array([[-0.2, -0.1], [0.2, -0.1], [0.0, 0.1], [-0.15, 0.3], [0.15, 0.3]]) * side + [x + shift, y]
    return np.concatenate([box, [score], points.ravel()]).astype(np.float32)


NONE = np.zeros((0, 15), np.float32)


def test_found_missed_and_made_up_faces_are_counted() -> None:
    taught = [np.stack([face(50, 50, 40, 1.0), face(150, 50, 40, 1.0), face(250, 50, 40, 0.6)]), NONE]
    found = [
        np.stack([face(52, 50, 40, 0.9, 0.8), face(250, 50, 40, 0.9), face(51, 49, 40, 0.8), face(350, 50, 40, 0.3)]),
        face(10, 10, 20, 0.7)[None],
    ]
    result = compare(found, taught, least_score=0.5)
    assert (result.photos, result.faces) == (2, 2)
    assert result.recall == 0.5
    # The doubtful face is no mistake, nor is the second look at one face; what lies where nothing is, is.
    assert result.false_positives == 0.5
    assert result.landmark_error == pytest.approx(2.8 / 16, rel=0.01)


def test_landmarks_are_measured_in_distances_between_the_eyes() -> None:
    assert landmark_error(face(0, 0, 10, 1, 2.0), face(0, 0, 10, 1)) == pytest.approx(0.5)


def test_overlap_is_intersection_over_union() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]], np.float32)
    np.testing.assert_allclose(overlaps(boxes, boxes)[0], [1, 1 / 3, 0], rtol=1e-6)


def test_nothing_found_and_nothing_there_is_no_error() -> None:
    result = compare([NONE], [NONE], 0.5)
    assert (result.recall, result.false_positives) == (0.0, 0.0)
    assert np.isnan(result.landmark_error)
