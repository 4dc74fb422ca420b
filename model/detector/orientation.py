"""Face detection in photos that may have lost their orientation."""

import numpy as np
from numpy.typing import NDArray

from model.face import Face, FaceDetector
from model.images import Pixels


def detect_any_orientation(detector: FaceDetector, image: Pixels, reduced_by: int = 1) -> list[Face]:
    """Detects faces in the image as given and, if no score reaches `detector.sure_score`, in the image rotated by 90,
    180 and 270 degrees: phones and scanners often lose the orientation.

    `image`: RGB uint8 (H, W, 3), decoded at 1 / `reduced_by` of the photo's size. Returns the faces of the orientation
    with the best score, in coordinates of the image as given, best score first. The rotated images count only from
    `detector.turned_score` on.
    """
    faces = detector.detect(image, reduced_by)
    best = max((face.score for face in faces), default=0.0)
    if faces and best >= detector.sure_score:
        return faces
    for quarter_turns in (1, 2, 3):
        # A copy: numpy calls a rotated image of one row contiguous, but its strides are negative, and torch refuses it.
        rotated = np.rot90(image, quarter_turns).copy()
        # Three more images are three more chances of a false positive, so the threshold is higher.
        found = [face for face in detector.detect(rotated, reduced_by) if face.score >= detector.turned_score]
        if found and found[0].score > best:
            best = found[0].score
            faces = [_undo_rotation(face, quarter_turns, image.shape[1], image.shape[0]) for face in found]
    return faces


def _undo_rotation(face: Face, quarter_turns: int, width: int, height: int) -> Face:
    """Maps a face of an image rotated counter-clockwise back to the image of width x height before the rotation."""
    corners = _rotate_back(face.box.reshape(2, 2), quarter_turns, width, height)
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    landmarks = _rotate_back(face.landmarks, quarter_turns, width, height)
    return Face(box, landmarks, face.score, rotation=90 * quarter_turns)


def _rotate_back(points: NDArray[np.float32], quarter_turns: int, width: int, height: int) -> NDArray[np.float32]:
    x, y = points[:, 0], points[:, 1]
    if quarter_turns == 1:
        x, y = width - y, x
    elif quarter_turns == 2:
        x, y = width - x, height - y
    elif quarter_turns == 3:
        x, y = y, height - x
    return np.stack([x, y], axis=1).astype(np.float32)
