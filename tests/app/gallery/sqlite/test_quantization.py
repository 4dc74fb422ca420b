import numpy as np

from app.gallery.sqlite.quantization import Codes
from tests.app.gallery.sqlite.test_index import units


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


def test_codes_are_as_fine_where_all_vectors_lie_to_one_side() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(3100, 64)) + 5  # cosines of 0.96 between strangers
    vectors = np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)
    templates, probes = vectors[:3000], vectors[3000:]
    codes = Codes(templates)
    codes.append(templates)
    best = (probes @ templates.T).argmax(axis=1)
    assert np.mean([row in codes.nearest(probe, 5) for probe, row in zip(probes, best, strict=True)]) > 0.9
