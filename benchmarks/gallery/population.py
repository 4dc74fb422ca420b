"""Embeddings of synthetic people, distributed like those of real ones: no data set at hand has a million people."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.encoder.bundle import find_bundle, load_bundle
from training.data.crops import prepare_folder_for
from training.data.sets.lfw import find_data_folder, lfw_photo_source, read_people
from training.data.splits import label_people, select_rows

BATCH_SIZE = 64


@dataclass(frozen=True)
class Population:
    """Two normal distributions: people around the mean of all, and a person's photos around that person."""

    mean: NDArray[np.float32]  # (D,)
    between: NDArray[np.float32]  # (D, D), square root of the covariance between people
    within: NDArray[np.float32]  # (D, D), square root of the covariance of one person's photos

    def sample_people(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Returns the centers of `count` people, (N, D)."""
        return self.mean + self._noise(count, rng) @ self.between.T

    def sample_photos(self, people: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Returns the embedding of one photo of each person, (N, D), of unit length."""
        photos = people + self._noise(len(people), rng) @ self.within.T
        return np.asarray(photos / np.linalg.norm(photos, axis=1, keepdims=True), np.float32)

    def _noise(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        return rng.standard_normal((count, len(self.mean)), np.float32)


def fit_population(embeddings: NDArray[np.float32], people: NDArray[np.int64]) -> Population:
    """Fits to embeddings (N, D) of photos of the people 0..P-1, given as (N,)."""
    photos = np.bincount(people)
    means = np.stack([embeddings[people == person].mean(axis=0) for person in range(len(photos))])
    deviations = embeddings - means[people]
    within = deviations.T @ deviations / (photos - 1).clip(0).sum()
    # The mean of a few photos scatters more than the person does; subtract that part.
    between = np.cov(means.T) - within * (1 / photos).mean()
    return Population(means.mean(axis=0), _square_root(between), _square_root(within))


def fit_lfw_population(build: Path) -> Population:
    """Fits to the people of LFW's peopleDevTest, who trained nothing, as the bundle `deploy` embeds them.

    Keeps the prepared crops in `build`.
    """
    data, bundle = find_data_folder(), load_bundle(find_bundle("deploy"))
    people = frozenset(read_people(data / "lfw" / "peopleDevTest.txt"))
    faces = prepare_folder_for(bundle, lfw_photo_source(data), build)
    rows = select_rows(faces.people, people)
    batches = [rows[start : start + BATCH_SIZE] for start in range(0, len(rows), BATCH_SIZE)]
    embeddings = np.concatenate([bundle.encode(faces.without_margin(batch)).vectors for batch in batches])
    return fit_population(embeddings, label_people([faces.people[row] for row in rows]))


def _square_root(covariance: NDArray[np.floating]) -> NDArray[np.float32]:
    values, directions = np.linalg.eigh(covariance)
    return np.asarray(directions * np.sqrt(values.clip(0)), np.float32)
