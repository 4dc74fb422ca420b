import numpy as np
import pytest

from app.gallery.base import Candidate
from app.gallery.ranking import add_rejections, best_identities


def test_each_identity_is_ranked_by_its_best_template() -> None:
    templates = [Candidate("ada", 0.2, "t1"), Candidate("bob", 0.5, "t2"), Candidate("ada", 0.9, "t3")]
    assert best_identities(templates, 5) == (Candidate("ada", 0.9, "t3"), Candidate("bob", 0.5, "t2"))


def test_equal_similarities_are_ordered_by_name() -> None:
    templates = [Candidate(name, 0.5, name) for name in ("cleo", "ada", "bob")]
    assert [each.identity for each in best_identities(templates, 2)] == ["ada", "bob"]


def test_a_candidate_is_rejected_if_a_rejection_is_at_least_as_similar_as_its_template() -> None:
    probe = np.array([1, 0], np.float32)
    candidates = [Candidate("ada", 0.8, "t1"), Candidate("bob", 0.7, "t2")]
    rejections = [("ada", np.array([0.6, 0.8], np.float32)), ("ada", np.array([0.28, 0.96], np.float32))]
    ada, bob = add_rejections(candidates, probe, rejections)
    assert ada.rejected_similarity == pytest.approx(0.6)
    assert bob.rejected_similarity is None
    assert not ada.is_rejected
    assert not bob.is_rejected
    assert add_rejections(candidates, probe, [("ada", probe)])[0].is_rejected
    assert add_rejections(candidates, probe, []) == tuple(candidates)
