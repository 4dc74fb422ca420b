import numpy as np

from model.face import Face
from model.images import Pixels
from training.detector.composites.example_sheet import COLUMNS, PANEL, draw_example_sheet


class NoFaces:
    """A detector that finds nothing."""

    name, sure_score, turned_score, choices = "none", 0.0, 0.0, ()
    reference_landmarks = np.zeros((5, 2))

    def detect(self, image: Pixels) -> list[Face]:
        return []


def test_the_sheet_shows_every_example() -> None:
    sheet = draw_example_sheet(NoFaces())
    assert sheet.width == COLUMNS * PANEL
    assert sheet.height > 2 * PANEL
