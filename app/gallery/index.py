"""The vectors of one gallery in memory, searched exactly."""

import numpy as np
from numpy.typing import NDArray

from app.gallery.base import Candidate


class VectorIndex:
    """Unit vectors by template id. Adding and removing take constant time; a search reads every vector once."""

    def __init__(self, dimension: int) -> None:
        self._vectors = np.empty((16, dimension), np.float32)
        self._templates: list[str] = []
        self._identities: list[str] = []
        self._row_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._templates)

    def add(self, template_id: str, identity: str, vector: NDArray[np.float32]) -> None:
        """Adding what is there already changes nothing."""
        if template_id in self._row_of:
            return
        row = len(self._templates)
        if row == len(self._vectors):
            grown = np.empty((2 * row, self._vectors.shape[1]), np.float32)
            grown[:row] = self._vectors
            self._vectors = grown
        self._vectors[row] = vector
        self._templates.append(template_id)
        self._identities.append(identity)
        self._row_of[template_id] = row

    def remove(self, template_id: str) -> None:
        """The last row takes the place of the removed one. Removing what is not there changes nothing."""
        row = self._row_of.pop(template_id, None)
        if row is None:
            return
        last_template, last_identity = self._templates.pop(), self._identities.pop()
        last = len(self._templates)
        if row != last:
            self._vectors[row] = self._vectors[last]
            self._templates[row], self._identities[row] = last_template, last_identity
            self._row_of[last_template] = row
        self._vectors[last] = 0  # nothing of an erased face stays in memory

    def search(self, vector: NDArray[np.float32], top_k: int, only: str | None = None) -> tuple[Candidate, ...]:
        """The best template of each of the `top_k` most similar identities, most similar first; equal ones by name."""
        count = len(self)
        if only is not None:
            rows = np.array([row for row, identity in enumerate(self._identities) if identity == only], np.int64)
            return self._best(rows, self._vectors[rows] @ vector, 1)
        scores = self._vectors[:count] @ vector  # (N,)
        wanted = 4 * top_k
        while wanted < count:
            rows = np.argpartition(-scores, wanted)[:wanted]
            best = self._best(rows, scores[rows], top_k)
            if len(best) == top_k:
                return best
            wanted *= 4  # several templates of few people: look further down
        return self._best(np.arange(count), scores, top_k)

    def _best(self, rows: NDArray[np.int64], scores: NDArray[np.float32], top_k: int) -> tuple[Candidate, ...]:
        best: dict[str, Candidate] = {}
        ranked = sorted(zip(-scores, rows, strict=True), key=lambda pair: (pair[0], self._identities[pair[1]]))
        for negative, row in ranked:
            identity = self._identities[row]
            if identity not in best:
                similarity = float(np.clip(-negative, -1.0, 1.0))
                best[identity] = Candidate(identity, similarity, self._templates[row])
                if len(best) == top_k:
                    break
        return tuple(best.values())
