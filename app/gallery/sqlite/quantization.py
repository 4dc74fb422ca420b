"""Vectors in 4 bits a number: what a search over very many looks through first.

faiss's product quantiser with one number a part (Jegou et al. 2011), laid out for the processor's shuffle instructions
(Andre et al. 2017, 'Quicker ADC').
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SAMPLE: Final = 50_000  # vectors from which the levels of each number are learnt


class Codes:
    """Codes of vectors, in rows. The levels are those that fit the first vectors; others are coded less exactly."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        """Learns from some of `vectors` (N, D), and keeps none of them."""
        # Not before: most galleries never need it, and two OpenMPs in one process trouble some systems.
        import faiss

        sample = vectors[:: max(len(vectors) // SAMPLE, 1)][:SAMPLE]
        fast_scan: Any = faiss.IndexPQFastScan  # its stubs lack half of it
        # By distance, which ranks unit vectors as their cosine does: a code's error then counts for as much as the
        # two lie apart, not for as much as either is long.
        dimension = vectors.shape[1]
        self._index = fast_scan(dimension, dimension, 4, faiss.METRIC_L2)
        self._index.train(sample)
        self._packer = self._index.get_CodePacker()
        self._array_at: Callable[[Any, int], NDArray[np.uint8]] = faiss.rev_swig_ptr

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def append(self, vectors: NDArray[np.float32]) -> None:
        """Codes of (N, D), in the rows that follow."""
        self._index.add(vectors)

    def take_out(self, row: int) -> None:
        """The last row takes the place of this one. Nothing of it stays in memory."""
        last = len(self) - 1
        if row != last:
            self._put(row, self._packer.unpack_1(*self._place(last)))
        self._put(last, np.zeros(self._packer.code_size, np.uint8))
        self._index.ntotal = last

    def nearest(self, vector: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """The rows whose codes are most similar to `vector` (D,), at most `count`, best first."""
        _, rows = self._index.search(vector[None], min(count, len(self)))
        found: NDArray[np.int64] = rows[0]
        return found[found >= 0]

    def blocks(self) -> NDArray[np.uint8]:
        """All codes as they lie in memory, (blocks, bytes); until the next change."""
        codes = self._index.codes
        return self._array_at(codes.get(), codes.size()).reshape(-1, self._packer.block_size)

    def _place(self, row: int) -> tuple[NDArray[np.uint8], int]:
        """The block (1, bytes) that holds a row, and which of the block's it is."""
        block, at = divmod(row, self._packer.nvec)
        return self.blocks()[block : block + 1], at

    def _put(self, row: int, code: NDArray[np.uint8]) -> None:
        block, at = self._place(row)
        self._packer.pack_1(code, at, block)
