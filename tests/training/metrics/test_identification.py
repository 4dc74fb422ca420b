import numpy as np
import pytest

from model.calibration import expected_fpir
from training.metrics.identification import evaluate_one_shot, evaluate_open_set


def embed_on_axes(count: int, photos: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    numbers = np.repeat(np.arange(count), photos)
    vectors = np.eye(count, dtype=np.float32)[numbers] + rng.normal(0, noise, (len(numbers), count)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), numbers


def test_orthogonal_people_are_identified_without_error() -> None:
    vectors, numbers = embed_on_axes(30, 3)
    found = evaluate_open_set(vectors, numbers, [0.5, 1.5], [0.0, 0.0])
    assert (found.gallery, found.mated_probes, found.stranger_probes) == (15, 30, 45)
    assert found.rank1 == 1
    assert (found.rates[0].fpir, found.rates[0].fnir) == (0, 0)
    assert found.fnir_at_fpir == {"0.01": 0.0, "0.1": 0.0}
    assert found.rates[1].fnir == 1  # no cosine is that high
    assert evaluate_one_shot(vectors, numbers, 20) == 1


def test_the_fpir_of_independent_comparisons_follows_the_formula() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(1200, 256)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    numbers = np.arange(1200)
    numbers[1] = 0  # one person needs two photos
    scores = (vectors @ vectors.T)[np.triu_indices(1200, 1)]
    threshold = float(np.quantile(scores, 1 - 1e-3))
    rates = evaluate_open_set(vectors, numbers, [threshold], [1e-3]).rates[0]
    assert rates.fpir_if_independent == pytest.approx(expected_fpir(1e-3, 599), abs=0.01)
    assert rates.fpir == pytest.approx(rates.fpir_if_independent, abs=0.06)


def test_random_embeddings_are_right_once_in_n_trials() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(400, 64)).astype(np.float32)
    assert evaluate_one_shot(vectors, np.repeat(np.arange(200), 2), 20) == pytest.approx(0.05, abs=0.02)


def test_too_few_people_are_an_error() -> None:
    vectors, numbers = embed_on_axes(4, 2)
    with pytest.raises(ValueError, match="20-way"):
        evaluate_one_shot(vectors, numbers, 20)
    with pytest.raises(ValueError, match="two photos"):
        evaluate_open_set(vectors[::2], numbers[::2], [0.5], [0.1])


def test_a_lower_fpir_has_a_higher_fnir() -> None:
    vectors, numbers = embed_on_axes(60, 3, noise=0.25)
    found = evaluate_open_set(vectors, numbers, [0.5], [0.0]).fnir_at_fpir
    assert found["0.01"] > found["0.1"] > 0
