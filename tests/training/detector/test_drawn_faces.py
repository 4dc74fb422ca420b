import numpy as np

from training.detector.drawn_faces import COUNT, SIDE, draw_face, draw_faces


def test_every_drawing_is_another_one() -> None:
    drawings = draw_faces()
    assert len(drawings) == COUNT
    assert {each.shape for each in drawings} == {(SIDE, SIDE, 3)}
    assert all(each.dtype == np.uint8 for each in drawings)
    assert len({each.tobytes() for each in drawings}) == COUNT


def test_the_drawings_are_the_same_in_every_call() -> None:
    np.testing.assert_array_equal(draw_faces(), draw_faces())
    np.testing.assert_array_equal(np.array(draw_face()), np.array(draw_face()))


def test_something_is_drawn() -> None:
    assert all(each.std() > 10 for each in draw_faces())
