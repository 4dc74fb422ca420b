"""Tables in Markdown."""

from collections.abc import Sequence


def draw_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with these column names; each row has as many cells."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
