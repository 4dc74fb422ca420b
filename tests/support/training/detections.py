"""Made-up faces for the tests of detectors."""

import numpy as np
from numpy.typing import NDArray

POINTS = np.array([[-0.2, -0.1], [0.2, -0.1], [0.0, 0.1], [-0.15, 0.3], [0.15, 0.3]])  # in sides, from the centre
NO_FACES = np.zeros((0, 15), np.float32)


def make_face(x: float, y: float, side: float, score: float = 1.0, landmark_shift: float = 0.0) -> NDArray[np.float32]:
    """Makes a square face around (x, y), (15,): box, score, landmarks. Its landmarks are shifted to the right."""
    box = [x - side / 2, y - side / 2, x + side / 2, y + side / 2]
    landmarks = POINTS * side + [x + landmark_shift, y]
    return np.concatenate([box, [score], landmarks.ravel()]).astype(np.float32)
