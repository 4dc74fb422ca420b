"""Selects one of the faces in a photo."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from model.errors import NoFaceFound, SeveralFaces
from model.face import Face


class FaceSelection(StrEnum):
    """Which face to take from a photo with several."""

    LARGEST = "largest"  # the face with the largest box
    CENTRAL = "central"  # the face whose box is nearest to the centre of the photo
    SINGLE = "single"  # refuse a photo with more than one face


def select_face(faces: Sequence[Face], selection: FaceSelection, width: int, height: int) -> Face:
    """Returns the selected face in a photo of width x height pixels.

    Raises NoFaceFound if `faces` is empty, and SeveralFaces if `selection` is SINGLE and there are several.
    """
    if not faces:
        raise NoFaceFound(
            "No face was found in any of four orientations. Send a photo in which the face is larger, sharper or less "
            "turned away. Its eyes must be at least about 20 pixels apart."
        )
    if selection is FaceSelection.SINGLE and len(faces) > 1:
        raise SeveralFaces(
            f"The photo shows {len(faces)} faces. Crop it to one person, or set face_selection to largest or central."
        )
    if selection is FaceSelection.CENTRAL:
        centre = np.array([width, height]) / 2
        return min(faces, key=lambda face: float(np.linalg.norm(face.box.reshape(2, 2).mean(axis=0) - centre)))
    return max(faces, key=lambda face: face.area)
