"""A face that was found, and what finds faces."""

from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from model.images import Pixels
from model.runtime.forms import Choice

# Left and right are the viewer's: the eye with the smaller x of an upright face comes first.
LANDMARKS: Final = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


@dataclass(frozen=True)
class Face:
    """A face in pixels of the photo as sent (EXIF applied); pixel centres lie at halves.

    `rotation` is how far the photo had to be turned counter-clockwise (0, 90, 180, 270 degrees) for the face to be
    found; the coordinates are those of the unturned photo all the same.
    """

    box: NDArray[np.float32]  # (4,) left, top, right, bottom
    landmarks: NDArray[np.float32]  # (5, 2) x, y in the order of LANDMARKS
    score: float  # 0..1, the detector's confidence
    rotation: int = 0

    @property
    def area(self) -> float:
        """Square pixels of the box."""
        left, top, right, bottom = (float(v) for v in self.box)
        return max(right - left, 0.0) * max(bottom - top, 0.0)

    def enlarged(self, scale: float) -> "Face":
        """The same face in a photo with `scale` times as many pixels a side."""
        return replace(self, box=self.box * np.float32(scale), landmarks=self.landmarks * np.float32(scale))


class FaceDetector(Protocol):
    """Finds upright faces."""

    @property
    def name(self) -> str:
        """Name and version; stored with every template, since landmarks differ between detectors."""
        ...

    @property
    def frame(self) -> NDArray[np.float64]:
        """Where its landmarks lie on average in dlib's 150 px face chips, (5, 2) in pixels; see model/alignment.py."""
        ...

    @property
    def sure_score(self) -> float:
        """Of a face, 0..1, from which on the photo stands upright beyond doubt ..."""
        ...

    @property
    def turned_score(self) -> float:
        """... and from which on one on the photo turned by a quarter or more counts."""
        ...

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The form in which its network runs, by the size of the photo; empty where it has one form only."""
        ...

    def detect(self, image: Pixels) -> list[Face]:
        """Every face of an RGB image, uint8 (H, W, 3), best score first; an empty list where there is none."""
        ...
