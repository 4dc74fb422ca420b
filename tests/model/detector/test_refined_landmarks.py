import numpy as np
import pytest

from model.detector.refined_landmarks import RefinedLandmarks, mean_distances, spread_of

FACE = np.array([[40, 40, 60, 40, 50, 50, 42, 60, 58, 60]], np.float64)


def some_landmarks(count: int) -> RefinedLandmarks:
    numbers = np.arange(count, dtype=np.float64)
    return RefinedLandmarks(np.repeat(numbers[:, None], 10, axis=1), numbers, np.ones(count, np.bool_))


def test_rows_are_chosen_and_replaced_in_order() -> None:
    refined, rows = some_landmarks(4), np.array([False, True, False, True])
    assert refined.choose_rows(rows).logits.tolist() == [1, 3]
    other = RefinedLandmarks(np.full((2, 10), 9.0), np.array([7.0, 8.0]), np.array([True, False]))
    replaced = refined.replace_rows(rows, other)
    assert replaced.logits.tolist() == [0, 7, 2, 8]
    assert replaced.is_aligned.tolist() == [True, True, True, False]
    assert replaced.landmarks[:, 0].tolist() == [0, 9, 2, 9]
    assert refined.logits.tolist() == [0, 1, 2, 3]  # the first ones stay as they were


def test_the_spread_grows_with_the_face() -> None:
    points = FACE.reshape(1, 5, 2)
    assert 10 < spread_of(points)[0] < 20  # near the eye distance of 20
    assert spread_of(3 * points)[0] == pytest.approx(3 * spread_of(points)[0])


def test_distances_are_in_spreads_of_the_first() -> None:
    moved = FACE + 5.0
    expected = 5 * np.sqrt(2) / spread_of(FACE.reshape(1, 5, 2))[0]
    assert mean_distances(FACE, moved)[0] == pytest.approx(expected)
    assert mean_distances(2 * FACE, 2 * moved)[0] == pytest.approx(expected)
    assert mean_distances(FACE, FACE)[0] == 0
