import numpy as np
import pytest

from benchmarks.gallery.population import Population, fit_population

DIMENSION, PEOPLE, PHOTOS = 4, 2000, 5


@pytest.fixture
def population() -> Population:
    """People scatter along the first axis, a person's photos along the last."""
    mean, between, within = np.eye(DIMENSION)[1], np.zeros((DIMENSION, DIMENSION)), np.zeros((DIMENSION, DIMENSION))
    between[0, 0], within[3, 3] = 0.1, 0.05
    return Population(*(array.astype(np.float32) for array in (mean, between, within)))


def test_photos_have_unit_length(population: Population) -> None:
    rng = np.random.default_rng(0)
    photos = population.sample_photos(population.sample_people(10, rng), rng)
    assert photos.shape == (10, DIMENSION)
    np.testing.assert_allclose(np.linalg.norm(photos, axis=1), 1, rtol=1e-6)


def test_fit_recovers_the_scatter_between_and_within_people(population: Population) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(PEOPLE), PHOTOS)
    photos = population.sample_photos(population.sample_people(PEOPLE, rng)[labels], rng)
    fitted = fit_population(photos, labels)
    between, within = (root @ root.T for root in (fitted.between, fitted.within))
    assert np.sqrt(between[0, 0]) == pytest.approx(0.1, rel=0.1)
    assert np.sqrt(within[3, 3]) == pytest.approx(0.05, rel=0.1)
    assert np.sqrt(between[3, 3]) < 0.01  # the scatter of the means of few photos is subtracted
    np.testing.assert_allclose(fitted.mean, population.mean, atol=0.02)
