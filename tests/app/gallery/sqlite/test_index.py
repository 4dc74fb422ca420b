import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.gallery.sqlite.index import VectorIndex


def units(count: int, dimension: int = 16, seed: int = 0) -> np.ndarray:
    """Around a direction of their own, as embeddings lie."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(count, dimension)) + 4 * np.eye(dimension)[0]
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def test_the_most_similar_come_first_with_their_cosines() -> None:
    index, vectors = VectorIndex(16), units(100)
    index.add(np.arange(1000, 1100), vectors)
    numbers, scores = index.nearest(vectors[7], 3)
    exact = vectors @ vectors[7]
    assert numbers.tolist() == (1000 + np.argsort(-exact)[:3]).tolist()
    np.testing.assert_allclose(scores, np.sort(exact)[::-1][:3], atol=1e-6)
    assert scores.max() <= 1.0


def test_an_empty_index_finds_nobody() -> None:
    numbers, scores = VectorIndex(16).nearest(units(1)[0], 5)
    assert len(numbers) == len(scores) == 0


@pytest.mark.parametrize("exact", [20, 1000])
def test_equal_vectors_have_equal_scores_wherever_they_lie(exact: int) -> None:
    index, vectors = VectorIndex(16, exact), units(37)
    vectors[[3, 8, 20, 36]] = vectors[0]
    index.add(np.arange(37), vectors)
    for probe in units(50, seed=1):
        numbers, scores = index.nearest(probe, 37)
        assert len(set(scores[np.isin(numbers, [0, 3, 8, 20, 36])].tolist())) == 1


def test_codes_find_whom_an_exact_search_finds_and_scores_stay_exact() -> None:
    vectors, probes = units(5000), units(200, seed=1)
    exact, coded = VectorIndex(16), VectorIndex(16, exact=1000)
    for index in (exact, coded):
        index.add(np.arange(3000), vectors[:3000])
        index.prepare()
        index.add(np.arange(3000, 5000), vectors[3000:])  # coded with levels that were learnt before
    for probe in probes:
        numbers, scores = coded.nearest(probe, 1)
        expected, exactly = exact.nearest(probe, 1)
        assert numbers.tolist() == expected.tolist()
        assert scores == pytest.approx(exactly, abs=1e-6)


def test_nothing_of_a_removed_vector_stays_in_memory() -> None:
    index, vectors = VectorIndex(16), units(300)
    index.add(np.arange(300), vectors)
    held = index._vectors
    index.remove([299, 5])
    assert not held[298:300].any()
    np.testing.assert_array_equal(held[5], vectors[298])


def test_where_few_are_left_every_one_is_compared_again() -> None:
    index, vectors = VectorIndex(16, exact=100), units(150)
    index.add(np.arange(150), vectors)
    index.prepare()
    assert index._codes is not None
    index.remove(range(120))
    assert index._codes is None
    assert index.nearest(vectors[130], 1)[0].tolist() == [130]


operations = st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.sets(st.integers(0, 60))), max_size=12)


@settings(max_examples=60, deadline=None)
@given(operations, st.sampled_from([20, 1000]))
def test_after_any_sequence_it_answers_like_a_plain_dictionary(steps: list[tuple[str, set[int]]], exact: int) -> None:
    vectors, probe = units(61), units(1, seed=1)[0]
    index, plain = VectorIndex(16, exact), set[int]()
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
