"""A detected face, and the interface of face detectors."""

from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from model.images import Pixels
from model.runtime.forms import Choice

# Left and right as in the image: in an upright face, the left eye has the smaller x.
LANDMARKS: Final = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
MIRRORED_ORDER: Final = (1, 0, 2, 4, 3)  # the landmarks of a mirror image: left and right change places


@dataclass(frozen=True)
class Face:
    """A face in pixels of the photo as sent, after its EXIF orientation was applied. Pixel centres lie at halves.

    `rotation` is the angle by which the photo was rotated counter-clockwise before the face was detected: 0, 90, 180 or
    270 degrees. Coordinates are always those of the photo before this rotation.
    """

    box: NDArray[np.float32]  # (4,): left, top, right, bottom
    landmarks: NDArray[np.float32]  # (5, 2): x, y in the order of LANDMARKS
    score: float  # 0..1, the chance that it is a face
    rotation: int = 0

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        left, top, right, bottom = (float(v) for v in self.box)
        return max(right - left, 0.0) * max(bottom - top, 0.0)

    def scaled(self, scale: float) -> "Face":
        """Returns the same face in a photo enlarged by `scale`."""
        return replace(self, box=self.box * np.float32(scale), landmarks=self.landmarks * np.float32(scale))


class FaceDetector(Protocol):
    """Detects upright faces. `score` is the measured chance that it is a face."""

    @property
    def name(self) -> str:
        """Name and version. Stored with every template, because landmarks differ between detectors."""
        ...

    @property
    def reference_landmarks(self) -> NDArray[np.float64]:
        """Mean positions of its landmarks in dlib's 150 px face chips, (5, 2) in pixels; see model/alignment.py."""
        ...

    @property
    def sure_score(self) -> float:
        """Score, 0..1, at or above which the photo is taken as upright and no rotation is tried."""
        ...

    @property
    def turned_score(self) -> float:
        """Score, 0..1, that a face in a rotated photo needs to count."""
        ...

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The form in which its network runs, by size of the photo. Empty if it has only one form."""
        ...

    def detect(self, image: Pixels, reduced_by: int = 1) -> list[Face]:
        """Returns every face in an RGB image, uint8 (H, W, 3), best score first, in pixels of the image.

        `reduced_by`: the image has 1 / `reduced_by` of the photo's size, so that smaller faces count.
        """
        ...
