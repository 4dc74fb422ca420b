"""Quality of a face for verification, with the reasons in words: size, sharpness, light and pose."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.face import Face
from model.images import Pixels
from model.pose import Pose, estimate_pose

# A photo below this quality gets a warning at enrollment.
LOW_QUALITY: Final = 0.35


@dataclass(frozen=True)
class Quality:
    """`score`, 0..1, is that of the worst aspect. `reasons` describes every aspect below LOW_QUALITY."""

    score: float
    reasons: tuple[str, ...]
    pose: Pose


def assess_quality(face: Face, crop: Pixels) -> Quality:
    """Assesses a face by its landmarks, in pixels of the photo, and its aligned crop, uint8 (S, S, 3)."""
    side = len(crop)
    middle = crop[side // 4 : side - side // 8, side // 5 : side - side // 5]  # brows to chin, without background
    grey = middle.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)  # (H, W)
    eye_distance = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    pose = estimate_pose(face.landmarks)
    brightness = float(grey.mean())
    contrast = float(grey.std())
    sharpness = _mean_laplacian(grey)
    aspects = {
        f"the face is small ({eye_distance:.0f} px between the eyes; 40 or more are better)": _ramp(
            eye_distance, 8, 40
        ),
        "the face is blurred or enlarged from few pixels": _ramp(sharpness, 1.0, 5.0),
        "the photo is too dark": _ramp(brightness, 20, 70),
        "the photo is overexposed": _ramp(-brightness, -240, -200),
        "the face has too little contrast": _ramp(contrast, 6, 24),
        f"the face is turned away from the camera (yaw {pose.yaw:.0f} degrees)": _ramp(-abs(pose.yaw), -45, -15),
        f"the face looks up or down (pitch {pose.pitch:.0f} degrees)": _ramp(-abs(pose.pitch), -60, -35),
    }
    reasons = tuple(reason for reason, score in aspects.items() if score < LOW_QUALITY)
    return Quality(round(min(aspects.values()), 3), reasons, pose)


def _ramp(value: float, worst: float, good: float) -> float:
    """Maps `worst` to 0 and `good` to 1, linearly between and clipped outside."""
    return float(np.clip((value - worst) / (good - worst), 0.0, 1.0))


def _mean_laplacian(grey: NDArray[np.float32]) -> float:
    """Returns the mean absolute Laplacian in grey levels, a measure of sharpness."""
    laplacian = 4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    return float(np.abs(laplacian).mean())
