import numpy as np
from PIL import Image

from model.face import Face
from training.detector.drawing import draw_detections

POINTS = np.array([[30, 30], [50, 30], [40, 40], [32, 50], [48, 50]], np.float32)
BOX = np.array([20, 10, 60, 70], np.float32)


def test_faces_are_drawn_at_their_place_on_the_scaled_photo() -> None:
    page = np.array(draw_detections(Image.new("RGB", (100, 50)), [Face(BOX, POINTS, 0.9)], 200))
    assert page.shape == (100, 200, 3)
    assert page[90, 40].tolist() == [0, 255, 0]  # the left side of the box
    assert page[60, 60].tolist() == [255, 0, 0]  # the left eye
    assert not page[:, 130:].any()


def test_scores_are_written_only_into_boxes_that_are_wide_enough() -> None:
    def green(scale: float) -> int:
        face = Face(BOX * scale, POINTS * scale, 0.9)
        unscored = Image.new("RGB", (100, 100))
        page = np.array(draw_detections(unscored, [face], 100))
        return int((page[:, :, 1] > 100).sum())

    narrow, wide = green(0.5), green(1.1)
    assert narrow < 250  # the outline of a box of 20 x 30 pixels, and two landmarks
    assert wide > narrow + 150
