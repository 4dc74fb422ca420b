"""Vectors quantized to 4 bits per number, for a fast first pass over large galleries.

faiss's product quantizer with one number per part (Jégou et al. 2011), in the layout for the processor's shuffle
instructions (André et al. 2017, 'Quicker ADC').
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TRAINING_SAMPLE: Final = 50_000  # vectors from which the quantization levels are learnt


class QuantizedVectors:
    """Quantized unit vectors in rows. The levels fit the first vectors; later ones may be quantized less exactly."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        """Learns the levels from `vectors` (N, D). Stores none of them."""
        # Imported here: most galleries never need it, and two OpenMP runtimes in one process cause trouble.
        import faiss

        sample = vectors[:: max(len(vectors) // TRAINING_SAMPLE, 1)][:TRAINING_SAMPLE]
        fast_scan: Any = faiss.IndexPQFastScan  # its type stubs are incomplete
        # L2 ranks unit vectors like the cosine. With the inner product, errors of quantization would weigh by the
        # lengths of the vectors; with L2 they weigh by the distance.
        dimension = vectors.shape[1]
        self._index = fast_scan(dimension, dimension, 4, faiss.METRIC_L2)
        self._index.train(sample)
        self._packer = self._index.get_CodePacker()
        self._to_array: Callable[[Any, int], NDArray[np.uint8]] = faiss.rev_swig_ptr

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def append(self, vectors: NDArray[np.float32]) -> None:
        """Adds `vectors` (N, D) as the next rows."""
        self._index.add(vectors)

    def swap_remove(self, row: int) -> None:
        """Removes a row and overwrites it in memory. The last row takes its place."""
        last = len(self) - 1
        if row != last:
            self._write(row, self._packer.unpack_1(*self._locate(last)))
        self._write(last, np.zeros(self._packer.code_size, np.uint8))
        self._index.ntotal = last

    def nearest(self, vector: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """Returns up to `count` rows that are nearest to `vector` (D,) by their quantized copies, best first."""
        _, rows = self._index.search(vector[None], min(count, len(self)))
        found: NDArray[np.int64] = rows[0]
        return found[found >= 0]

    def blocks(self) -> NDArray[np.uint8]:
        """A view of the memory that holds all rows, (blocks, bytes). Valid until the next change."""
        codes = self._index.codes
        return self._to_array(codes.get(), codes.size()).reshape(-1, self._packer.block_size)

    def _locate(self, row: int) -> tuple[NDArray[np.uint8], int]:
        """Returns the block (1, bytes) that holds a row, and the row's position in the block."""
        block, position = divmod(row, self._packer.nvec)
        return self.blocks()[block : block + 1], position

    def _write(self, row: int, code: NDArray[np.uint8]) -> None:
        block, position = self._locate(row)
        self._packer.pack_1(code, position, block)
