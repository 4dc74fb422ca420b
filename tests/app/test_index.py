import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.gallery.index import VectorIndex


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_an_identity_scores_its_best_template() -> None:
    index = VectorIndex(2)
    index.add("t1", "ada", unit(0, 1))
    index.add("t2", "ada", unit(1, 0))
    index.add("t3", "bob", unit(1, 1))
    first, second = index.search(unit(1, 0), 5)
    assert (first.identity, first.template_id, round(first.similarity, 5)) == ("ada", "t2", 1.0)
    assert second.identity == "bob"


def test_only_restricts_the_search_to_one_identity() -> None:
    index = VectorIndex(2)
    index.add("t1", "ada", unit(0, 1))
    index.add("t2", "bob", unit(1, 0))
    assert [each.identity for each in index.search(unit(1, 0), 1, only="ada")] == ["ada"]
    assert index.search(unit(1, 0), 1, only="eve") == ()


def test_many_templates_of_one_person_do_not_hide_the_others() -> None:
    index = VectorIndex(2)
    for i in range(200):
        index.add(f"a{i}", "ada", unit(1, i / 1000))
    index.add("b", "bob", unit(1, 1))
    index.add("c", "cat", unit(0, 1))
    assert [each.identity for each in index.search(unit(1, 0), 3)] == ["ada", "bob", "cat"]


def test_an_empty_index_finds_nobody() -> None:
    assert VectorIndex(2).search(unit(1, 0), 5) == ()


operations = st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 12)), max_size=60)


@settings(max_examples=60, deadline=None)
@given(operations)
def test_after_any_sequence_it_answers_like_a_plain_dictionary(steps: list[tuple[str, int]]) -> None:
    rng = np.random.default_rng(0)
    vectors = [unit(*rng.normal(size=3)) for _ in range(13)]
    index, plain = VectorIndex(3), {}
    for action, number in steps:
        if action == "add":
            index.add(f"t{number}", f"p{number % 4}", vectors[number])
            plain[f"t{number}"] = number
        else:
            index.remove(f"t{number}")
            plain.pop(f"t{number}", None)
    probe = unit(1, 2, 3)
    expected: dict[str, float] = {}
    for number in plain.values():
        person, score = f"p{number % 4}", float(vectors[number] @ probe)
        expected[person] = max(score, expected.get(person, -2))
    found = {each.identity: each.similarity for each in index.search(probe, 10)}
    assert len(index) == len(plain)
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([found[name] for name in expected], list(expected.values()), atol=1e-6)
