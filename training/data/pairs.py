"""Lists of genuine and impostor pairs: LFW's official ones, and a user's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.data.errors import DataError
from training.data.sets.lfw import lfw_photo_name
from training.data.text import read_lines

CONTENT: Final = "a list of pairs, such as LFW's pairs.txt or lines of NAME/photo.jpg, NAME/photo.jpg, 1 or 0"


@dataclass(frozen=True)
class Pair:
    """Two photos by name, and whether they show the same person (a genuine pair) or not (an impostor pair)."""

    first: str
    second: str
    same: bool


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of one of LFW's `pairs*.txt` lists. Raises DataError on a line of another form."""
    return [_parse_lfw_pair(path, line.split("\t")) for line in read_lines(path, CONTENT)[1:]]


def read_pair_folds(path: Path) -> list[list[Pair]]:
    """The pairs of each fold of View 2's `pairs.txt`. Raises DataError if the list does not hold the stated number."""
    lines = read_lines(path, CONTENT)
    try:
        folds, half = (int(number) for number in lines[0].split()) if lines else (0, 0)
    except ValueError:
        raise DataError(f"{path}: {lines[0]!r} should be two numbers: of folds, and of pairs of each kind.") from None
    pairs = read_pairs(path)
    if not pairs or len(pairs) != folds * half * 2:
        raise DataError(f"{path} holds {len(pairs)} pairs but states {folds * half * 2}.")
    return [pairs[fold * half * 2 : (fold + 1) * half * 2] for fold in range(folds)]


def read_pair_list(path: Path) -> list[list[Pair]]:
    """The folds of a list of pairs, in LFW's form (`pairs*.txt`) or with one pair a line.

    A line of the second form has three or four fields, separated by tabs: two photos (`NAME/photo.jpg`), 1 for a
    genuine or 0 for an impostor pair, and the name of the fold if there are several. Raises DataError if a line has
    neither form, or there is no pair.
    """
    rows = [line.split("\t") for line in read_lines(path, CONTENT)]
    if rows and all(field.isdigit() for field in rows[0]):
        return read_pair_folds(path) if len(rows[0]) == 2 else [read_pairs(path)]
    folds: dict[str, list[Pair]] = {}
    for row in rows:
        if len(row) not in (3, 4) or row[2] not in ("0", "1"):
            raise DataError(
                f"{path}: {' '.join(row)!r} is not a pair. Write two photos, 1 or 0, and optionally a fold, separated "
                "by tabs."
            )
        folds.setdefault(row[3] if len(row) == 4 else "", []).append(Pair(row[0], row[1], same=row[2] == "1"))
    if not folds:
        raise DataError(f"{path} holds no pairs. It should be {CONTENT}.")
    return list(folds.values())


def _parse_lfw_pair(path: Path, fields: Sequence[str]) -> Pair:
    try:
        match fields:
            case [name, first, second]:
                return Pair(lfw_photo_name(name, int(first)), lfw_photo_name(name, int(second)), same=True)
            case [name, first, other, second]:
                return Pair(lfw_photo_name(name, int(first)), lfw_photo_name(other, int(second)), same=False)
    except ValueError:
        pass  # a photo number that is not a number
    raise DataError(
        f"{path}: {' '.join(fields)!r} is not a pair. Write NAME, number, number or NAME, number, NAME, number, "
        "separated by tabs."
    )
