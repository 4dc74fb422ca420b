import numpy as np
import pytest

from tests.support.training.detections import NO_FACES, make_face
from training.detector.metrics import compare_with_labels, landmark_error, match_faces, pairwise_iou


def test_recall_false_positives_and_landmark_errors_are_counted() -> None:
    labels = [np.stack([make_face(50, 50, 40), make_face(150, 50, 40), make_face(250, 50, 40, 0.6)]), NO_FACES]
    detections = [
        np.stack(
            [
                make_face(52, 50, 40, 0.9, landmark_shift=0.8),
                make_face(250, 50, 40, 0.9),
                make_face(51, 49, 40, 0.8),
                make_face(350, 50, 40, 0.3),
            ]
        ),
        make_face(10, 10, 20, 0.7)[None],
    ]
    metrics = compare_with_labels(detections, labels, least_score=0.5)
    assert (metrics.photos, metrics.faces) == (2, 2)
    assert metrics.recall == 0.5
    # Neither the face with an uncertain label nor the second detection of one face is a false positive.
    assert metrics.false_positives == 0.5
    assert metrics.landmark_error == pytest.approx(2.8 / 16, rel=0.01)


def test_landmark_errors_are_in_eye_distances() -> None:
    assert landmark_error(make_face(0, 0, 10, landmark_shift=2.0), make_face(0, 0, 10)) == pytest.approx(0.5)


def test_the_detection_with_the_highest_score_is_matched_first() -> None:
    found = np.stack([make_face(52, 50, 40, 0.6), make_face(50, 50, 40, 0.9), make_face(200, 50, 40, 0.8)])
    assert match_faces(found, make_face(50, 50, 40)[None]) == [(1, 0)]


def test_iou_is_computed_for_every_pair_of_boxes() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]], np.float32)
    np.testing.assert_allclose(pairwise_iou(boxes, boxes)[0], [1, 1 / 3, 0], rtol=1e-6)
    assert pairwise_iou(boxes[:0], boxes).shape == (0, 3)


def test_photos_without_faces_have_no_error() -> None:
    metrics = compare_with_labels([NO_FACES], [NO_FACES], 0.5)
    assert (metrics.recall, metrics.false_positives) == (0.0, 0.0)
    assert np.isnan(metrics.landmark_error)
