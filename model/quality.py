"""Quality of a face for verification: size, sharpness, light and pose as numbers; what is bad as codes and words."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.face import Face
from model.images import Pixels
from model.pose import Pose, estimate_pose

# A photo below this quality gets a warning at enrollment.
LOW_QUALITY: Final = 0.35


class QualityCode(StrEnum):
    """What is bad about a face. Named after the quality elements of ISO/IEC 29794-5:2025 that measure the same.

    The numbers are ours: they are not on that standard's scale of 0 to 100.
    """

    INTER_EYE_DISTANCE = "inter_eye_distance"  # too few pixels
    SHARPNESS = "sharpness"  # blurred, or enlarged from few pixels
    LUMINANCE_MEAN_LOW = "luminance_mean_low"  # too dark
    LUMINANCE_MEAN_HIGH = "luminance_mean_high"  # overexposed
    LUMINANCE_VARIANCE = "luminance_variance"  # too little contrast
    HEAD_POSE_YAW = "head_pose_yaw"  # turned away
    HEAD_POSE_PITCH = "head_pose_pitch"  # looks up or down


@dataclass(frozen=True)
class QualityMeasures:
    """What was measured on a face. Poses are in `Pose`."""

    inter_eye_distance: float  # pixels of the photo, between the centres of the eyes; not corrected for yaw
    sharpness: float  # mean absolute Laplacian of the aligned face, in grey levels
    luminance_mean: float  # grey levels, 0..255
    luminance_variance: float  # squared grey levels


@dataclass(frozen=True)
class Quality:
    """`score`, 0..1, is that of the worst aspect. `reasons` describes every aspect below LOW_QUALITY, and `codes` names
    these aspects in the same order."""

    score: float
    reasons: tuple[str, ...]
    codes: tuple[QualityCode, ...]
    measures: QualityMeasures
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
    aspects = (
        (
            QualityCode.INTER_EYE_DISTANCE,
            _ramp(eye_distance, 8, 40),
            f"the face is small ({eye_distance:.0f} px between the eyes; 40 or more are better)",
        ),
        (QualityCode.SHARPNESS, _ramp(sharpness, 1.0, 5.0), "the face is blurred or enlarged from few pixels"),
        (QualityCode.LUMINANCE_MEAN_LOW, _ramp(brightness, 20, 70), "the photo is too dark"),
        (QualityCode.LUMINANCE_MEAN_HIGH, _ramp(-brightness, -240, -200), "the photo is overexposed"),
        (QualityCode.LUMINANCE_VARIANCE, _ramp(contrast, 6, 24), "the face has too little contrast"),
        (
            QualityCode.HEAD_POSE_YAW,
            _ramp(-abs(pose.yaw), -45, -15),
            f"the face is turned away from the camera (yaw {pose.yaw:.0f} degrees)",
        ),
        (
            QualityCode.HEAD_POSE_PITCH,
            _ramp(-abs(pose.pitch), -60, -35),
            f"the face looks up or down (pitch {pose.pitch:.0f} degrees)",
        ),
    )
    bad = [(code, reason) for code, score, reason in aspects if score < LOW_QUALITY]
    return Quality(
        score=round(min(score for _, score, _ in aspects), 3),
        reasons=tuple(reason for _, reason in bad),
        codes=tuple(code for code, _ in bad),
        measures=QualityMeasures(eye_distance, sharpness, brightness, contrast**2),
        pose=pose,
    )


def _ramp(value: float, worst: float, good: float) -> float:
    """Maps `worst` to 0 and `good` to 1, linearly between and clipped outside."""
    return float(np.clip((value - worst) / (good - worst), 0.0, 1.0))


def _mean_laplacian(grey: NDArray[np.float32]) -> float:
    """Returns the mean absolute Laplacian in grey levels, a measure of sharpness."""
    laplacian = 4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    return float(np.abs(laplacian).mean())
