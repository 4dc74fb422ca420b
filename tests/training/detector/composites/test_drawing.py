import numpy as np
from PIL import Image

from model.face import Face
from training.detector.composites.composite import Composite
from training.detector.composites.drawing import draw_composites, draw_detections

POINTS = np.array([[30, 30], [50, 30], [40, 40], [32, 50], [48, 50]], np.float32)
BOX = np.array([20, 10, 60, 70], np.float32)


def test_faces_are_drawn_at_their_place_on_the_scaled_photo() -> None:
    page = np.array(draw_detections(Image.new("RGB", (100, 50)), [Face(BOX, POINTS, 0.9)], 200))
    assert page.shape == (100, 200, 3)
    assert page[90, 40].tolist() == [0, 255, 0]  # the left side of the box
    assert page[60, 60].tolist() == [255, 0, 0]  # the left eye
    assert not page[:, 130:].any()


def test_composites_are_drawn_side_by_side_with_their_labels() -> None:
    faces = np.concatenate([BOX, POINTS.ravel()])[None]
    composite = Composite(np.full((80, 80, 3), 90, np.uint8), faces, np.array([[2, 2, 12, 12]], np.float32))
    page = np.array(draw_composites([composite] * 5))
    assert page.shape == (160, 320, 3)
    assert page[40, 20].tolist() == [0, 255, 0]  # the left side of the box
    assert page[2, 5].tolist() == [255, 0, 0]  # the ignored box
    assert not page[80:, 80:].any()  # the second row holds one composite
