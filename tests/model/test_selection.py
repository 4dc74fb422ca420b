import numpy as np
import pytest

from model.errors import NoFaceFound, SeveralFaces
from model.face import Face
from model.selection import FaceSelection, select_face


def face(left: float, top: float, side: float) -> Face:
    box = np.array([left, top, left + side, top + side], np.float32)
    return Face(box, np.zeros((5, 2), np.float32), 0.9)


LARGE_AT_EDGE, SMALL_AT_CENTRE = face(0, 0, 50), face(90, 90, 20)
BOTH = [LARGE_AT_EDGE, SMALL_AT_CENTRE]


def test_largest_takes_the_largest_box() -> None:
    assert select_face(BOTH, FaceSelection.LARGEST, 200, 200) is LARGE_AT_EDGE


def test_central_takes_the_box_nearest_to_the_centre() -> None:
    assert select_face(BOTH, FaceSelection.CENTRAL, 200, 200) is SMALL_AT_CENTRE


def test_single_rejects_two_faces_with_their_number() -> None:
    with pytest.raises(SeveralFaces, match="2 faces"):
        select_face(BOTH, FaceSelection.SINGLE, 200, 200)


def test_single_takes_the_only_face() -> None:
    assert select_face([SMALL_AT_CENTRE], FaceSelection.SINGLE, 200, 200) is SMALL_AT_CENTRE


@pytest.mark.parametrize("selection", list(FaceSelection))
def test_no_face_is_an_error_with_advice(selection: FaceSelection) -> None:
    with pytest.raises(NoFaceFound, match="Send a photo"):
        select_face([], selection, 200, 200)
