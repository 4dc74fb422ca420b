from pathlib import Path

import numpy as np
import pytest

from tests.support.training.photo_service import NAMES, FakeFaceService, connect, write_named_photos
from training.data.errors import DataError
from training.data.pairs import Pair
from training.evaluation.embeddings import Embeddings
from training.evaluation.service_parity import measure_parity

PAIRS = [Pair(f"p{i}/p{i}_0001.jpg", f"p{i}/p{i}_0002.jpg", same=True) for i in range(3)]


def embeddings_with_similarity(similarity: float) -> Embeddings:
    """Embeddings in which the two photos of each person have this cosine; p1/p1_0001.jpg has no face."""
    angles = np.where(np.arange(len(NAMES)) % 2, np.arccos(similarity), 0.0)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    kept = [row for row, name in enumerate(NAMES) if name != "p1/p1_0001.jpg"]
    return Embeddings(vectors[kept], tuple(NAMES[row] for row in kept), ("p1/p1_0001.jpg",))


def test_a_service_with_the_same_scores_has_parity(tmp_path: Path) -> None:
    client = connect(FakeFaceService(0.5), write_named_photos(tmp_path))
    parity = measure_parity(client, embeddings_with_similarity(0.5), PAIRS, 0.4, "e")
    assert parity.largest_difference == pytest.approx(0, abs=1e-6)
    assert parity.different_verdicts == 0
    assert parity.without_face == ("p1/p1_0001.jpg",)


def test_differences_and_verdicts_are_counted(tmp_path: Path) -> None:
    client = connect(FakeFaceService(0.3), write_named_photos(tmp_path))
    parity = measure_parity(client, embeddings_with_similarity(0.5), PAIRS, 0.4, "e")
    assert parity.largest_difference == pytest.approx(0.2)
    assert parity.different_verdicts == 2


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    client = connect(FakeFaceService(), write_named_photos(tmp_path))
    with pytest.raises(DataError, match="another encoder"):
        measure_parity(client, embeddings_with_similarity(0.5), PAIRS, 0.4, "f")
