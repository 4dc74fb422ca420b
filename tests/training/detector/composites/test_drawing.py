import numpy as np
from PIL import Image

from model.face import Face
from training.detector.composites.drawing import drawn


def test_faces_are_drawn_where_they_are_on_the_scaled_photo() -> None:
    points = np.array([[30, 30], [50, 30], [40, 40], [32, 50], [48, 50]], np.float32)
    face = Face(np.array([20, 10, 60, 70], np.float32), points, 0.9)
    page = np.array(drawn(Image.new("RGB", (100, 50)), [face], 200))
    assert page.shape == (100, 200, 3)
    assert page[90, 40].tolist() == [0, 255, 0]  # on the box's left side
    assert page[60, 60].tolist() == [255, 0, 0]  # the left eye
    assert not page[:, 130:].any()
