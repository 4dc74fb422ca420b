"""From templates to identities."""

from collections.abc import Iterable

from app.gallery.base import Candidate


def best_identities(templates: Iterable[Candidate], top_k: int) -> tuple[Candidate, ...]:
    """The best template of each of the `top_k` most similar identities, most similar first; equal ones by name,
    where equal means to 1e-6: the same vector's sum may differ by its row."""
    best: dict[str, Candidate] = {}
    for each in sorted(templates, key=lambda each: (-round(each.similarity, 6), each.identity)):
        best.setdefault(each.identity, each)
    return tuple(best.values())[:top_k]
