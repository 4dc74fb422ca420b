"""Landmarks of the average face at any pose."""

import numpy as np
from numpy.typing import NDArray

from model.pose import FACE_MODEL


def project_face(yaw: float, pitch: float, roll: float = 0.0) -> NDArray[np.float64]:
    """Projects FACE_MODEL, turned by angles in degrees as in `Pose`, to (5, 2): 100 pixels between frontal eyes."""
    y, p, r = np.deg2rad([yaw, pitch, roll])
    look_up = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    turn_right = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    tilt_clockwise = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    points = np.array(FACE_MODEL) @ (tilt_clockwise @ turn_right @ look_up).T
    return np.asarray(points[:, :2] / 3 + 200, np.float64)
