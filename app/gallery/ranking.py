"""Ranks identities by their templates."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.gallery.base import Candidate


def best_identities(templates: Iterable[Candidate], top_k: int) -> tuple[Candidate, ...]:
    """Returns the best template of each of the `top_k` most similar identities, most similar first.

    Identities of equal similarity are ordered by name.
    """
    best: dict[str, Candidate] = {}
    for each in sorted(templates, key=lambda each: (-each.similarity, each.identity)):
        best.setdefault(each.identity, each)
    return tuple(best.values())[:top_k]


def add_rejections(
    candidates: Sequence[Candidate], vector: NDArray[np.float32], rejections: Sequence[tuple[str, NDArray[np.float32]]]
) -> tuple[Candidate, ...]:
    """Returns the candidates, each with the similarity of `vector` (D,) to the nearest rejection of its identity.

    `rejections` are identities and vectors (D,).
    """
    if not rejections:
        return tuple(candidates)
    # As a sum, like the similarities of templates: equal vectors must give equal numbers.
    similarities = (np.stack([rejected for _, rejected in rejections]) * vector).sum(axis=1).clip(-1.0, 1.0)
    nearest: dict[str, float] = {}
    for (identity, _), similarity in zip(rejections, similarities.tolist(), strict=True):
        nearest[identity] = max(similarity, nearest.get(identity, -1.0))
    return tuple(replace(each, rejected_similarity=nearest.get(each.identity)) for each in candidates)
