from app.gallery.base import Candidate
from app.gallery.ranking import best_identities


def test_each_identity_is_ranked_by_its_best_template() -> None:
    templates = [Candidate("ada", 0.2, "t1"), Candidate("bob", 0.5, "t2"), Candidate("ada", 0.9, "t3")]
    assert best_identities(templates, 5) == (Candidate("ada", 0.9, "t3"), Candidate("bob", 0.5, "t2"))


def test_equal_similarities_are_ordered_by_name() -> None:
    templates = [Candidate(name, 0.5, name) for name in ("cleo", "ada", "bob")]
    assert [each.identity for each in best_identities(templates, 2)] == ["ada", "bob"]
