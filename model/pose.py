"""Head pose from five landmarks."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Eyes, nose and corners of the mouth of an average face, in thirds of a hundredth of the eye distance; x to the right
# of the image, y down, z away from the camera. Width and height are those of the alignment template; the depth of eyes
# and mouth behind the tip of the nose is that of the model in OpenCV's examples of head pose.
FACE_MODEL: Final = ((-150, -179, 135), (150, -179, 135), (0, 0, 0), (-132, 149, 125), (132, 149, 125))


@dataclass(frozen=True)
class Pose:
    """Angles in degrees, as an onlooker of the photo sees them; all are 0 for an upright frontal face.

    `yaw` -90..90: positive where the face is turned to the right of the photo. `pitch` -90..90: positive where it looks
    up. `roll` -180..180: positive where it is tilted clockwise.
    """

    yaw: float
    pitch: float
    roll: float


def estimate_pose(landmarks: NDArray[np.floating]) -> Pose:
    """Estimates the pose from five landmarks, (5, 2) in pixels.

    Fits a scaled orthographic projection of FACE_MODEL by least squares and takes the nearest rotation (the first step
    of POSIT, DeMenthon and Davis 1995). An open mouth or an unusual face shifts the pitch by some degrees. Returns
    zeros if all landmarks coincide.
    """
    model = np.array(FACE_MODEL, np.float64)
    points = landmarks.astype(np.float64)
    projection, *_ = np.linalg.lstsq(model - model.mean(axis=0), points - points.mean(axis=0), rcond=None)  # (3, 2)
    left, singular, right = np.linalg.svd(projection.T, full_matrices=False)
    if singular[0] < 1e-9:
        return Pose(0.0, 0.0, 0.0)
    rows = left @ right  # (2, 3): the first two rows of the rotation
    across, down = rows
    roll = math.atan2(down[0], across[0])
    direction = -np.array([across[2], down[2], np.cross(across, down)[2]])  # of the nose, in the camera's frame
    x = math.cos(roll) * direction[0] + math.sin(roll) * direction[1]
    y = -math.sin(roll) * direction[0] + math.cos(roll) * direction[1]
    yaw = math.atan2(x, -direction[2])
    pitch = math.asin(float(np.clip(-y, -1.0, 1.0)))
    return Pose(*(math.degrees(angle) for angle in (yaw, pitch, roll)))
