"""Embeddings of people who do not exist, drawn as those of real people lie: a million are nowhere to be had."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.encoder.bundle import find_bundle, load_bundle
from training.data.crops import prepare_folder
from training.data.photos import data_folder, lfw_photos, read_people
from training.data.splits import person_numbers, rows_of

BATCH = 64


@dataclass(frozen=True)
class Population:
    """Normal distributions: of people around the mean of all, of a person's photos around that person."""

    mean: NDArray[np.float32]  # (D,)
    between: NDArray[np.float32]  # (D, D), a root of the covariance of people
    within: NDArray[np.float32]  # (D, D), and of a person's photos

    def people(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Where `count` people lie, (N, D)."""
        return self.mean + self._noise(count, rng) @ self.between.T

    def photos(self, people: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """An embedding of unit length of a photo of each, (N, D)."""
        drawn = people + self._noise(len(people), rng) @ self.within.T
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)

    def _noise(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        return rng.standard_normal((count, len(self.mean)), np.float32)


def fit_population(vectors: NDArray[np.float32], person: NDArray[np.int64]) -> Population:
    """To embeddings (N, D) of photos of people 0..P-1, (N,)."""
    photos = np.bincount(person)
    means = np.stack([vectors[person == each].mean(axis=0) for each in range(len(photos))])
    apart = vectors - means[person]
    within = apart.T @ apart / (photos - 1).clip(0).sum()
    # A mean of few photos scatters more than the person does.
    between = np.cov(means.T) - within * (1 / photos).mean()
    return Population(means.mean(axis=0), _root(between), _root(within))


def real_population(build: Path) -> Population:
    """Of the people of LFW's peopleDevTest, whom no training saw, by the bundle `deploy`; crops are kept in `build`."""
    data, bundle = data_folder(), load_bundle(find_bundle("deploy"))
    people = frozenset(read_people(data / "lfw" / "peopleDevTest.txt"))
    faces = prepare_folder(lfw_photos(data), bundle.metadata.crop_size, build)
    rows = rows_of(faces.people, people)
    parts = [bundle.encode(faces.central(rows[start : start + BATCH])) for start in range(0, len(rows), BATCH)]
    return fit_population(np.concatenate(parts), person_numbers([faces.people[row] for row in rows]))


def _root(covariance: NDArray[np.floating]) -> NDArray[np.float32]:
    values, directions = np.linalg.eigh(covariance)
    return np.asarray(directions * np.sqrt(values.clip(0)), np.float32)
