import numpy as np
import pytest

from model.alignment import CHIP_TEMPLATE
from model.detector.factory import open_detector
from model.face import MIRRORED_ORDER
from model.pose import estimate_pose
from tests.support.faces import project_face


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"),
    [
        (0, 0, 0),
        (30, 0, 0),
        (-30, 0, 0),
        (0, 20, 0),
        (0, -20, 0),
        (0, 0, 40),
        (0, 0, -40),
        (25, -15, 10),
        (-60, 30, -120),
        (10, 5, 170),
        (85, 0, 0),
        (85, 40, 170),
    ],
)
def test_the_pose_of_a_projected_face_is_recovered(yaw: float, pitch: float, roll: float) -> None:
    pose = estimate_pose(project_face(yaw, pitch, roll))
    np.testing.assert_allclose((pose.yaw, pose.pitch, pose.roll), (yaw, pitch, roll), atol=0.01)


def test_the_pose_depends_on_neither_size_nor_position() -> None:
    landmarks = project_face(25, -15, 10)
    small, large = estimate_pose(landmarks * 0.01 - 7), estimate_pose(landmarks * 40 + 3000)
    np.testing.assert_allclose((small.yaw, small.pitch, small.roll), (large.yaw, large.pitch, large.roll), atol=0.01)


def test_the_mean_face_of_the_template_is_frontal() -> None:
    pose = estimate_pose(np.array(CHIP_TEMPLATE))
    np.testing.assert_allclose((pose.yaw, pose.pitch, pose.roll), 0, atol=2)


def test_the_mean_face_of_the_detector_is_nearly_frontal() -> None:
    pose = estimate_pose(open_detector().reference_landmarks)
    np.testing.assert_allclose((pose.yaw, pose.pitch, pose.roll), 0, atol=3)


def test_a_mirrored_face_has_the_opposite_yaw_and_roll() -> None:
    landmarks = np.array(CHIP_TEMPLATE) + np.array([[0, 3], [4, 0], [9, -5], [2, 1], [0, -2]])
    mirrored = (landmarks * [-1, 1])[list(MIRRORED_ORDER)]
    pose, opposite = estimate_pose(landmarks), estimate_pose(mirrored)
    assert pose.yaw > 5
    np.testing.assert_allclose((opposite.yaw, opposite.pitch, opposite.roll), (-pose.yaw, pose.pitch, -pose.roll))


def test_a_nose_on_the_right_means_a_face_turned_to_the_right() -> None:
    landmarks = np.array(CHIP_TEMPLATE)
    landmarks[2, 0] += 12
    assert estimate_pose(landmarks).yaw > 10


def test_landmarks_that_coincide_give_zeros() -> None:
    pose = estimate_pose(np.full((5, 2), 7.0))
    assert (pose.yaw, pose.pitch, pose.roll) == (0, 0, 0)
