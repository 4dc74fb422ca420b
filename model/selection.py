"""Which of several faces is meant."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from model.errors import NoFaceFound, SeveralFaces
from model.face import Face


class FaceSelection(StrEnum):
    """What to do with a photo of several faces."""

    LARGEST = "largest"  # the face with the largest box
    CENTRAL = "central"  # the face whose box is nearest to the middle of the photo
    SINGLE = "single"  # refuse a photo that shows more than one face


def select_face(faces: Sequence[Face], selection: FaceSelection, width: int, height: int) -> Face:
    """The face that is meant in a photo of width x height pixels.

    Raises NoFaceFound, and SeveralFaces where `selection` is SINGLE.
    """
    if not faces:
        raise NoFaceFound(
            "No face was found, in any of four orientations. Send a photo in which the face is larger, sharper or "
            "less turned away; about 20 pixels across are the least."
        )
    if selection is FaceSelection.SINGLE and len(faces) > 1:
        raise SeveralFaces(
            f"The photo shows {len(faces)} faces. Crop it to one person, or choose face_selection largest or central."
        )
    if selection is FaceSelection.CENTRAL:
        middle = np.array([width, height]) / 2
        return min(faces, key=lambda face: float(np.linalg.norm(face.box.reshape(2, 2).mean(axis=0) - middle)))
    return max(faces, key=lambda face: face.area)
