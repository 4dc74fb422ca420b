"""Batches of P people with K photos each: every batch has the same number of genuine and impostor pairs."""

import numpy as np
from numpy.typing import NDArray

from training.data.errors import DataError


class BalancedSampler:
    """Draws batches of P people with K photos each, without end.

    People with fewer than K photos repeat some of them. Three quarters of each batch are people with several photos, if
    there are enough. The batch of a step depends on the seed and the step alone, so resuming needs no state.
    """

    def __init__(self, people: NDArray[np.int64], people_per_batch: int, photos_per_person: int, seed: int) -> None:
        """`people` (N,): the label of each photo's person. Raises DataError if there are fewer than P people."""
        order = np.argsort(people, kind="stable")
        _, starts = np.unique(people[order], return_index=True)
        self._photos_of = np.split(order, starts[1:])
        counts = np.array([len(photos) for photos in self._photos_of]) if len(people) else np.empty(0, np.int64)
        if people_per_batch > len(counts):
            raise DataError(
                f"A batch holds {people_per_batch} people, but only {len(counts)} people have photos to train on. Set "
                "people in [sampling] to a smaller number, or add photos."
            )
        # The square root of the number of photos: between equal chances for each person and for each photo.
        self._several = _WeightedSet(np.flatnonzero(counts > 1), np.sqrt(counts[counts > 1]))
        self._all = _WeightedSet(np.arange(len(counts)), np.ones(len(counts)))
        self._people_per_batch, self._photos_per_person, self._seed = people_per_batch, photos_per_person, seed

    def batch(self, step: int) -> NDArray[np.int64]:
        """Indices (P * K,) into `people`; the K photos of a person are neighbours."""
        rng = np.random.default_rng((self._seed, step))
        several = self._several.draw(rng, min(self._people_per_batch * 3 // 4, len(self._several)), exclude=())
        rest = self._all.draw(rng, self._people_per_batch - len(several), exclude=several)
        return np.concatenate([self._draw_photos(rng, person) for person in (*several, *rest)])

    def _draw_photos(self, rng: np.random.Generator, person: int) -> NDArray[np.int64]:
        photos = rng.permutation(self._photos_of[person])
        return np.resize(photos, self._photos_per_person)


class _WeightedSet:
    """Members that are drawn by weight, without replacement."""

    def __init__(self, members: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
        self._members, self._weights = members, weights

    def __len__(self) -> int:
        return len(self._members)

    def draw(self, rng: np.random.Generator, count: int, exclude: NDArray[np.int64] | tuple[()]) -> NDArray[np.int64]:
        weights = np.where(np.isin(self._members, exclude), 0.0, self._weights)
        if count == 0:
            return np.empty(0, np.int64)
        return rng.choice(self._members, count, replace=False, p=weights / weights.sum())
