import numpy as np

from app.gallery.sqlite.quantization import QuantizedVectors
from tests.support.galleries import embeddings


def test_removing_and_appending_leave_the_same_memory_as_appending_in_order() -> None:
    vectors = embeddings(300)
    quantized = QuantizedVectors(vectors)
    quantized.append(vectors[:200])
    quantized.swap_remove(5)
    quantized.swap_remove(len(quantized) - 1)
    quantized.append(vectors[200:201])
    order = [*range(5), 199, *range(6, 198), 200]
    expected = quantized.blocks().copy()
    while len(quantized):
        quantized.swap_remove(0)
    assert not quantized.blocks().any()  # removed rows are overwritten
    quantized.append(vectors[order])
    np.testing.assert_array_equal(quantized.blocks(), expected)


def test_a_vector_is_among_its_own_nearest_rows() -> None:
    vectors = embeddings(2000)
    quantized = QuantizedVectors(vectors)
    quantized.append(vectors)
    assert all(row in quantized.nearest(vectors[row], 5) for row in range(0, 2000, 50))
    assert len(quantized.nearest(vectors[0], 5000)) == 2000


def test_quantization_separates_vectors_that_are_close_together() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(3100, 64)) + 5  # cosines of 0.96 between any two
    vectors = np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)
    templates, probes = vectors[:3000], vectors[3000:]
    quantized = QuantizedVectors(templates)
    quantized.append(templates)
    best = (probes @ templates.T).argmax(axis=1)
    assert np.mean([row in quantized.nearest(probe, 5) for probe, row in zip(probes, best, strict=True)]) > 0.9
