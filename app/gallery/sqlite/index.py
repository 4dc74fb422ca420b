"""The vectors of one gallery in memory, by the numbers of their templates."""

from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.gallery.sqlite.quantization import Codes

EXACT: Final = 100_000  # vectors up to which every one is compared; beyond, those whose codes are most similar
LOOKED_AT: Final = 400  # vectors at least that are compared exactly for the best one
ROOM: Final = 8  # grows by an eighth: with doubling, a million vectors would take the memory of two


class VectorIndex:
    """Unit vectors. Similarities are always exact; which vectors are compared is a choice of codes where there are
    very many."""

    def __init__(self, dimension: int, exact: int = EXACT) -> None:
        self._vectors = np.empty((16, dimension), np.float32)
        self._numbers = np.empty(16, np.int64)
        self._count = 0
        self._exact = exact
        self._codes: Codes | None = None

    def __len__(self) -> int:
        return self._count

    def add(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Keeps `vectors` (N, D) under `numbers` (N,), none of which may be in use."""
        first, self._count = self._count, self._count + len(numbers)
        if self._count > len(self._numbers):
            room = self._count + max(self._count // ROOM, 16)
            # In place where the system can; nobody else holds these arrays.
            self._vectors.resize((room, self._vectors.shape[1]), refcheck=False)
            self._numbers.resize(room, refcheck=False)
        self._vectors[first : self._count] = vectors
        self._numbers[first : self._count] = numbers

    def remove(self, numbers: Collection[int]) -> None:
        """What is not there is passed over. Nothing of a removed vector stays in memory."""
        held = np.isin(self._numbers[: self._count], np.fromiter(numbers, np.int64, len(numbers)))
        if self._codes is not None:
            self.prepare()
        for row in np.flatnonzero(held)[::-1]:  # from behind: the row that fills the gap stays
            last = self._count = self._count - 1
            self._vectors[row], self._numbers[row] = self._vectors[last], self._numbers[last]
            self._vectors[last] = 0
            if self._codes is not None:
                self._codes.take_out(int(row))
        if self._count < self._exact // 2:
            self._codes = None

    def prepare(self) -> None:
        """Codes what has been added, where there is enough: else the next search does."""
        vectors = self._vectors[: self._count]
        if self._codes is None and self._count > self._exact:
            self._codes = Codes(vectors)
        if self._codes is not None and len(self._codes) < self._count:
            self._codes.append(vectors[len(self._codes) :])

    def nearest(self, vector: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Numbers (K,) and cosines (K,) of the at most `count` most similar to `vector` (D,), best first."""
        self.prepare()
        if self._codes is None:
            rows, scores = np.arange(self._count), self._vectors[: self._count] @ vector
            if count < len(rows):
                rows = np.argpartition(-scores, count)[:count]
        else:
            rows = self._codes.nearest(vector, max(LOOKED_AT, 20 * count))
        # Row by row: a matrix product's last bits depend on where a row lies, and equal vectors must come out equal.
        scores = (self._vectors[rows] * vector).sum(axis=1)
        order = np.argsort(-scores, kind="stable")[:count]
        return self._numbers[rows[order]], np.clip(scores[order], -1.0, 1.0)
