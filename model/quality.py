"""How usable a face is, with reasons in words: size, sharpness, light, pose."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.face import Face
from model.images import Pixels

# Below LOW a photo earns a warning at enrolment.
LOW: Final = 0.35


@dataclass(frozen=True)
class Quality:
    """`score` in 0..1 is that of the worst aspect; `reasons` names every aspect below LOW."""

    score: float
    reasons: tuple[str, ...]


def assess_quality(face: Face, crop: Pixels) -> Quality:
    """Judges a face by its landmarks and its aligned crop, uint8 (S, S, 3)."""
    side = len(crop)
    middle = crop[side // 4 : side - side // 8, side // 5 : side - side // 5]  # brows to chin, without background
    core = middle.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)  # (H, W), grey
    eyes = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    turn = _turn(face.landmarks)
    light = float(core.mean())
    contrast = float(core.std())
    detail = _detail(core)
    aspects = {
        f"the face is small ({eyes:.0f} px between the eyes; 40 or more are better)": _ramp(eyes, 8, 40),
        "the face is blurred or enlarged from few pixels": _ramp(detail, 1.0, 5.0),
        "the photo is too dark": _ramp(light, 20, 70),
        "the photo is overexposed": _ramp(-light, -240, -200),
        "the face has hardly any contrast": _ramp(contrast, 6, 24),
        "the face is turned away from the camera": _ramp(-turn, -0.8, -0.25),
    }
    reasons = tuple(reason for reason, score in aspects.items() if score < LOW)
    return Quality(round(min(aspects.values()), 3), reasons)


def _ramp(value: float, worst: float, good: float) -> float:
    return float(np.clip((value - worst) / (good - worst), 0.0, 1.0))


def _detail(grey: NDArray[np.float32]) -> float:
    """Mean absolute Laplacian, in grey levels: how much changes from a pixel to its neighbours."""
    laplacian = 4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    return float(np.abs(laplacian).mean())


def _turn(landmarks: NDArray[np.float32]) -> float:
    """How far the nose lies from the middle of eyes and mouth along the line of the eyes, in half eye distances:
    0 for a frontal face, about 1 for a half profile."""
    left, right, nose, mouth_left, mouth_right = landmarks.astype(np.float64)
    across = right - left
    distance = float(np.linalg.norm(across))
    if distance < 1e-6:
        return 1.0
    middle = (left + right + mouth_left + mouth_right) / 4
    return abs(float((nose - middle) @ across) / distance) / (distance / 2)
