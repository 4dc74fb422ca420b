"""The vectors of one gallery in memory, identified by template numbers."""

from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.gallery.sqlite.quantization import QuantizedVectors

EXACT_LIMIT: Final = 100_000  # vectors up to which a search compares all; above, quantized vectors choose which
MIN_RESCORED: Final = 400  # vectors that a quantized search compares exactly at least
GROWTH: Final = 8  # arrays grow by 1/8: doubling would take the memory of two million vectors for one million


class VectorIndex:
    """A search index of unit vectors.

    Similarities are always exact. In large indexes only the vectors that are nearest by their quantized copies are
    compared, so the search itself is approximate.
    """

    def __init__(self, dimension: int, exact_limit: int = EXACT_LIMIT) -> None:
        self._vectors = np.empty((16, dimension), np.float32)
        self._numbers = np.empty(16, np.int64)
        self._count = 0
        self._exact_limit = exact_limit
        self._quantized: QuantizedVectors | None = None

    def __len__(self) -> int:
        return self._count

    def add(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Adds `vectors` (N, D) under `numbers` (N,), which must not be in use."""
        first, self._count = self._count, self._count + len(numbers)
        if self._count > len(self._numbers):
            capacity = self._count + max(self._count // GROWTH, 16)
            # In place where the system can; no other references to these arrays exist.
            self._vectors.resize((capacity, self._vectors.shape[1]), refcheck=False)
            self._numbers.resize(capacity, refcheck=False)
        self._vectors[first : self._count] = vectors
        self._numbers[first : self._count] = numbers

    def remove(self, numbers: Collection[int]) -> None:
        """Removes vectors and overwrites them in memory. Unknown numbers are ignored."""
        found = np.isin(self._numbers[: self._count], np.fromiter(numbers, np.int64, len(numbers)))
        left = self._count - int(found.sum())
        if self._quantized is not None and left < self._exact_limit // 2:
            self._quantized.blocks()[:] = 0
            self._quantized = None
        if self._quantized is not None:
            self.prepare()
            for row in np.flatnonzero(found)[::-1]:  # from the end, so that no row yet to be removed moves
                last = self._count = self._count - 1
                self._vectors[row], self._numbers[row] = self._vectors[last], self._numbers[last]
                self._vectors[last] = 0
                self._quantized.swap_remove(int(row))
            return
        # All at once: searches wait for this, and a deletion may remove hundreds of thousands.
        gaps, moved = np.flatnonzero(found[:left]), left + np.flatnonzero(~found[left:])
        self._vectors[gaps], self._numbers[gaps] = self._vectors[moved], self._numbers[moved]
        self._vectors[left : self._count] = 0
        self._count = left

    def prepare(self) -> None:
        """Quantizes what was added, if the index is large. Otherwise the next search would do it."""
        vectors = self._vectors[: self._count]
        if self._quantized is None and self._count > self._exact_limit:
            self._quantized = QuantizedVectors(vectors)
        if self._quantized is not None and len(self._quantized) < self._count:
            self._quantized.append(vectors[len(self._quantized) :])

    def nearest(self, vector: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns the numbers (K,) and cosines (K,) of up to `count` vectors nearest to `vector` (D,), best first."""
        self.prepare()
        if self._quantized is None:
            rows, scores = np.arange(self._count), self._vectors[: self._count] @ vector
            if count < len(rows):
                rows = np.argpartition(-scores, count)[:count]
        else:
            rows = self._quantized.nearest(vector, max(MIN_RESCORED, 20 * count))
        # Row by row: the last bits of a matrix product depend on the row's position, and equal vectors must tie.
        scores = (self._vectors[rows] * vector).sum(axis=1)
        order = np.argsort(-scores, kind="stable")[:count]
        return self._numbers[rows[order]], np.clip(scores[order], -1.0, 1.0)
