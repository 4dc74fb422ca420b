"""Ranks identities by their templates."""

from collections.abc import Iterable

from app.gallery.base import Candidate


def best_identities(templates: Iterable[Candidate], top_k: int) -> tuple[Candidate, ...]:
    """Returns the best template of each of the `top_k` most similar identities, most similar first.

    Identities of equal similarity are ordered by name.
    """
    best: dict[str, Candidate] = {}
    for each in sorted(templates, key=lambda each: (-each.similarity, each.identity)):
        best.setdefault(each.identity, each)
    return tuple(best.values())[:top_k]
