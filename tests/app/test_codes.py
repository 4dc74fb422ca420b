import numpy as np

from app.gallery.codes import Codes
from tests.app.test_index import units


def test_codes_taken_out_and_appended_lie_in_memory_as_if_they_had_always_lain_so() -> None:
    vectors = units(300)
    codes = Codes(vectors)
    codes.append(vectors[:200])
    codes.take_out(5)
    codes.take_out(len(codes) - 1)
    codes.append(vectors[200:201])
    order = [*range(5), 199, *range(6, 198), 200]
    there = codes.blocks().copy()
    while len(codes):
        codes.take_out(0)
    assert not codes.blocks().any()  # nothing stays
    codes.append(vectors[order])
    np.testing.assert_array_equal(codes.blocks(), there)


def test_the_nearest_codes_are_those_of_the_nearest_vectors() -> None:
    vectors = units(2000)
    codes = Codes(vectors)
    codes.append(vectors)
    assert all(row in codes.nearest(vectors[row], 5) for row in range(0, 2000, 50))
    assert len(codes.nearest(vectors[0], 5000)) == 2000
