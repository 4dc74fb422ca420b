from pathlib import Path

import numpy as np
import pytest

from benchmarks.gallery import dataset
from benchmarks.gallery.dataset import PROBES, write_dataset
from benchmarks.gallery.population import Population

SIZE = 300


def test_best_rows_are_those_of_an_exact_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "CHUNK", 128)  # three chunks, the last one short
    eye = np.eye(8, dtype=np.float32)
    best = write_dataset(Population(eye[0], 0.5 * eye, 0.05 * eye), SIZE, tmp_path)
    templates, probes = np.load(tmp_path / "templates.npy"), np.load(tmp_path / "probes.npy")
    assert templates.shape == (SIZE, 8)
    assert probes.shape == (2 * PROBES, 8)
    similarities = probes @ templates.T
    np.testing.assert_allclose(similarities[np.arange(len(probes)), best], similarities.max(axis=1), atol=1e-6)
    mated, unmated = similarities.max(axis=1)[:PROBES], similarities.max(axis=1)[PROBES:]
    assert mated.mean() > unmated.mean()
