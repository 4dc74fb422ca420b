import numpy as np

from model.face import Face
from model.images import Pixels
from training.detector.example_sheet import COLUMNS, PANEL, draw_example_sheet, make_examples


class NoFaces:
    """A detector that finds nothing."""

    name, sure_score, turned_score, choices = "none", 0.0, 0.0, ()
    reference_landmarks = np.zeros((5, 2))

    def detect(self, image: Pixels, reduced_by: int = 1) -> list[Face]:
        return []


def test_the_sheet_shows_every_example() -> None:
    sheet = draw_example_sheet(NoFaces())
    assert sheet.width == COLUMNS * PANEL
    assert sheet.height > 2 * PANEL


def test_the_examples_are_the_same_in_every_call() -> None:
    first, second = make_examples(), make_examples()
    assert list(first) == list(second)
    for caption in first:
        np.testing.assert_array_equal(np.array(first[caption]), np.array(second[caption]))
