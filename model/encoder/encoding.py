"""What an encoder says about faces."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Encoding:
    """The embeddings of B faces, and how recognizable each is, if the encoder says so."""

    vectors: NDArray[np.float32]  # (B, D), unit vectors
    recognizability: NDArray[np.float32] | None = None  # (B,), 0..1; see model/encoder/paired.py

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, rows: slice) -> "Encoding":
        judged = None if self.recognizability is None else self.recognizability[rows]
        return Encoding(self.vectors[rows], judged)


def join_encodings(parts: list[Encoding]) -> Encoding:
    """The encodings of several batches as one. All of them come from the same encoder."""
    judged = [part.recognizability for part in parts if part.recognizability is not None]
    return Encoding(np.concatenate([part.vectors for part in parts]), np.concatenate(judged) if judged else None)
