"""P people x K photos a batch, so that every batch holds genuine and impostor pairs in a fixed proportion."""

import numpy as np
from numpy.typing import NDArray


class BalancedSampler:
    """Draws batches of P people and K photos of each, forever. Somebody with fewer than K photos gives some of them
    twice, each time augmented anew. Three quarters of each batch are people with
    several photos, as far as there are that many.

    The batch of a step depends only on the seed and the step: resuming needs no state.
    """

    def __init__(self, people: NDArray[np.int64], per_batch: int, photos: int, seed: int) -> None:
        """`people` (N,): the person of each photo."""
        order = np.argsort(people, kind="stable")
        _, starts = np.unique(people[order], return_index=True)
        self._photos_of = np.split(order, starts[1:])
        counts = np.array([len(photos_of) for photos_of in self._photos_of])
        if per_batch > len(counts):
            raise ValueError(f"a batch of {per_batch} people needs that many; there are {len(counts)}")
        # Between 'every person alike' and 'every photo alike': the square root of the number of photos.
        self._several = _Drawing(np.flatnonzero(counts > 1), np.sqrt(counts[counts > 1]))
        self._all = _Drawing(np.arange(len(counts)), np.ones(len(counts)))
        self._per_batch, self._photos, self._seed = per_batch, photos, seed

    def batch(self, step: int) -> NDArray[np.int64]:
        """Indices into `people`, (P * K,), the K photos of a person side by side."""
        rng = np.random.default_rng((self._seed, step))
        several = self._several.draw(rng, min(self._per_batch * 3 // 4, len(self._several)), exclude=())
        rest = self._all.draw(rng, self._per_batch - len(several), exclude=several)
        return np.concatenate([self._pick(rng, person) for person in (*several, *rest)])

    def _pick(self, rng: np.random.Generator, person: int) -> NDArray[np.int64]:
        photos = rng.permutation(self._photos_of[person])
        return np.resize(photos, self._photos)


class _Drawing:
    """Weighted drawing without replacement from fixed members."""

    def __init__(self, members: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
        self._members, self._weights = members, weights

    def __len__(self) -> int:
        return len(self._members)

    def draw(self, rng: np.random.Generator, count: int, exclude: NDArray[np.int64] | tuple[()]) -> NDArray[np.int64]:
        weights = np.where(np.isin(self._members, exclude), 0.0, self._weights)
        if count == 0:
            return np.empty(0, np.int64)
        return rng.choice(self._members, count, replace=False, p=weights / weights.sum())
