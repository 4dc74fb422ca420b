import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.gallery.sqlite.index import VectorIndex
from tests.support.galleries import embeddings


def test_the_nearest_vectors_come_first_with_exact_cosines() -> None:
    index, vectors = VectorIndex(16), embeddings(100)
    index.add(np.arange(1000, 1100), vectors)
    numbers, scores = index.nearest(vectors[7], 3)
    exact = vectors @ vectors[7]
    assert numbers.tolist() == (1000 + np.argsort(-exact)[:3]).tolist()
    np.testing.assert_allclose(scores, np.sort(exact)[::-1][:3], atol=1e-6)
    assert scores.max() <= 1.0


def test_an_empty_index_returns_nothing() -> None:
    numbers, scores = VectorIndex(16).nearest(embeddings(1)[0], 5)
    assert len(numbers) == len(scores) == 0


@pytest.mark.parametrize("exact_limit", [20, 1000])
def test_equal_vectors_have_equal_scores_in_any_row(exact_limit: int) -> None:
    index, vectors = VectorIndex(16, exact_limit), embeddings(37)
    vectors[[3, 8, 20, 36]] = vectors[0]
    index.add(np.arange(37), vectors)
    for probe in embeddings(50, seed=1):
        numbers, scores = index.nearest(probe, 37)
        assert len(set(scores[np.isin(numbers, [0, 3, 8, 20, 36])].tolist())) == 1


def test_a_quantized_search_finds_what_an_exact_one_finds_with_exact_scores() -> None:
    vectors, probes = embeddings(5000), embeddings(200, seed=1)
    exact, quantized = VectorIndex(16), VectorIndex(16, exact_limit=1000)
    for index in (exact, quantized):
        index.add(np.arange(3000), vectors[:3000])
        index.prepare()
        index.add(np.arange(3000, 5000), vectors[3000:])  # quantized with the levels learnt before
    for probe in probes:
        numbers, scores = quantized.nearest(probe, 1)
        expected, exact_scores = exact.nearest(probe, 1)
        assert numbers.tolist() == expected.tolist()
        assert scores == pytest.approx(exact_scores, abs=1e-6)


def test_removed_vectors_are_overwritten_in_memory() -> None:
    index, vectors = VectorIndex(16), embeddings(300)
    index.add(np.arange(300), vectors)
    memory = index._vectors
    index.remove([299, 5])
    assert not memory[298:300].any()
    np.testing.assert_array_equal(memory[5], vectors[298])


def test_a_shrunken_index_compares_all_vectors_again() -> None:
    index, vectors = VectorIndex(16, exact_limit=100), embeddings(150)
    index.add(np.arange(150), vectors)
    index.prepare()
    assert index._quantized is not None
    index.remove(range(120))
    assert index._quantized is None
    assert index.nearest(vectors[130], 1)[0].tolist() == [130]


operations = st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.sets(st.integers(0, 60))), max_size=12)


@settings(max_examples=60, deadline=None)
@given(operations, st.sampled_from([20, 1000]))
def test_any_sequence_of_operations_gives_the_same_as_a_plain_set(
    steps: list[tuple[str, set[int]]], exact_limit: int
) -> None:
    vectors, probe = embeddings(61), embeddings(1, seed=1)[0]
    index, plain = VectorIndex(16, exact_limit), set[int]()
    for action, numbers in steps:
        if action == "add":
            fresh = sorted(numbers - plain)
            index.add(np.array(fresh, np.int64), vectors[fresh])
            plain |= numbers
        else:
            index.remove(numbers)
            plain -= numbers
        found, scores = index.nearest(probe, 100)
        assert len(index) == len(plain)
        assert set(found.tolist()) == plain
        np.testing.assert_allclose(scores, vectors[found] @ probe, atol=1e-6)
