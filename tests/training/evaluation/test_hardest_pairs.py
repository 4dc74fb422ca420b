from pathlib import Path

import numpy as np
import pytest

from tests.support.training.embeddings import random_embeddings
from training.data.prepared_faces import PreparedFaces
from training.evaluation import hardest_pairs
from training.evaluation.hardest_pairs import HardPair, find_hardest_pairs, write_html


def test_blockwise_search_finds_the_same_pairs_as_a_full_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, people = random_embeddings(30, 3)
    names = [str(number) for number in people]
    scores = vectors @ vectors.T
    every = [
        (float(scores[i, j]), i, j, names[i] == names[j]) for i in range(len(names)) for j in range(i + 1, len(names))
    ]
    impostor = sorted((pair for pair in every if not pair[3]), reverse=True)[:7]
    genuine = sorted(pair for pair in every if pair[3])[:7]
    monkeypatch.setattr(hardest_pairs, "BLOCK", 16)  # several blocks
    found = find_hardest_pairs(vectors, names, 7)
    for pairs, expected in zip(found, (impostor, genuine), strict=True):
        assert [(pair.first, pair.second) for pair in pairs] == [(i, j) for _, i, j, _ in expected]
        np.testing.assert_allclose([pair.similarity for pair in pairs], [each[0] for each in expected], atol=1e-6)


def test_the_page_embeds_photos_and_escapes_names(tmp_path: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)
    faces = PreparedFaces(("a/1.jpg", "<b>/1.jpg", "c/1.jpg"), crops, np.zeros((3, 5, 2), np.float32), {}, "none", 0)
    write_html("worst", faces, np.array([1, 2]), [HardPair(0, 1, 0.5)], [], tmp_path / "deep" / "page.html")
    page = (tmp_path / "deep" / "page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "&lt;b&gt;/1.jpg and c/1.jpg" in page
    assert "a/1.jpg" not in page
