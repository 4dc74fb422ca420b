"""Who trains, who validates, who calibrates, who only reports: always by person, never by photo."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.config import DataConfig
from training.data.photos import DataError, read_people, read_people_folds


@dataclass(frozen=True)
class Split:
    """Disjoint sets of people. `test` people never enter training, selection or calibration."""

    training: frozenset[str]
    validation: frozenset[str]
    calibration: frozenset[str]
    test: frozenset[str]

    def __post_init__(self) -> None:
        parts = (self.training, self.validation, self.calibration, self.test)
        if len(frozenset().union(*parts)) != sum(len(part) for part in parts):
            raise DataError("Somebody is in two parts of the split; identities must never cross.")


def split_people(config: DataConfig, lists: Path, photos_of: Counter[str]) -> Split:
    """Splits the training list by a hash of the name, so that the same person falls into the same part everywhere.
    People with more than `most_photos` photos always train, and so do those of other folders. `lists` is the folder of
    LFW's protocol files."""
    people = read_people(lists / config.train_people)
    test = frozenset(read_people(lists / config.test_people))
    parts: dict[str, set[str]] = {"training": set(others(photos_of)), "validation": set(), "calibration": set()}
    for name in people:
        place = hash_place(name)
        if photos_of[name] > config.most_photos or place >= config.validation_share + config.calibration_share:
            parts["training"].add(name)
        elif place < config.validation_share:
            parts["validation"].add(name)
        else:
            parts["calibration"].add(name)
    return Split(**{part: frozenset(names) for part, names in parts.items()}, test=test)


def others(people: Iterable[str]) -> frozenset[str]:
    """The people of other folders than LFW's, FOLDER:NAME."""
    return frozenset(name for name in people if ":" in name)


def split_fold(config: DataConfig, lists: Path, fold: int, more: frozenset[str] = frozenset()) -> Split:
    """LFW's View 2: the people of fold `fold` (0 to 9) report; of the other nine folds' people, `validation_share`
    choose and the rest train, with the people `more` of other folders."""
    folds = read_people_folds(lists / "people.txt")
    nine = frozenset(name for number, names in enumerate(folds) if number != fold for name in names)
    validation = frozenset(name for name in nine if hash_place(name) < config.validation_share)
    return Split((nine - validation) | more, validation, frozenset(), frozenset(folds[fold]))


def hash_place(name: str) -> float:
    """Evenly spread over 0..1."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def rows_of(people: Sequence[str], wanted: Iterable[str]) -> NDArray[np.int64]:
    """The rows whose person is wanted, in order."""
    chosen = frozenset(wanted)
    return np.array([row for row, person in enumerate(people) if person in chosen], np.int64)


def person_numbers(people: Sequence[str]) -> NDArray[np.int64]:
    """Names as numbers 0..P-1 (N,), by order of the alphabet."""
    return np.unique(np.array(people), return_inverse=True)[1].astype(np.int64)
