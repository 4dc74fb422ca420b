"""Who trains, validates, calibrates and tests. Splits are by person, never by photo."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.config import DataConfig
from training.data.errors import DataError
from training.data.sets.lfw import read_people, read_people_folds


@dataclass(frozen=True)
class Split:
    """Disjoint sets of people. `test` people are never used for training, selection or calibration."""

    training: frozenset[str]
    validation: frozenset[str]
    calibration: frozenset[str]
    test: frozenset[str]

    def __post_init__(self) -> None:
        parts = (self.training, self.validation, self.calibration, self.test)
        if len(frozenset().union(*parts)) != sum(len(part) for part in parts):
            raise DataError("A person is in two parts of the split. Fix the lists: the parts must be disjoint.")


def split_people(config: DataConfig, lists: Path, photos_of: Counter[str]) -> Split:
    """Splits the people of the config's training list by a hash of the name, so that a person is in the same part
    everywhere.

    People with more than `most_photos` photos always train, and so do the people of other folders. `lists` is the
    folder of LFW's protocol files; `photos_of` counts the photos of each person. Raises DataError.
    """
    people = read_people(lists / config.train_people)
    test = frozenset(read_people(lists / config.test_people))
    parts: dict[str, set[str]] = {"training": set(extra_people(photos_of)), "validation": set(), "calibration": set()}
    for name in people:
        fraction = hash_fraction(name)
        if photos_of[name] > config.most_photos or fraction >= config.validation_share + config.calibration_share:
            parts["training"].add(name)
        elif fraction < config.validation_share:
            parts["validation"].add(name)
        else:
            parts["calibration"].add(name)
    return Split(**{part: frozenset(names) for part, names in parts.items()}, test=test)


def split_fold(config: DataConfig, lists: Path, fold: int, extra: frozenset[str] = frozenset()) -> Split:
    """LFW's View 2: the people of fold `fold` (0 to 9) test; those of the other nine folds train and validate.

    `validation_share` of the nine folds' people validate. The `extra` people of other folders train. Raises DataError.
    """
    folds = read_people_folds(lists / "people.txt")
    others = frozenset(name for number, names in enumerate(folds) if number != fold for name in names)
    validation = frozenset(name for name in others if hash_fraction(name) < config.validation_share)
    return Split((others - validation) | extra, validation, frozenset(), frozenset(folds[fold]))


def extra_people(people: Iterable[str]) -> frozenset[str]:
    """The people of other folders than LFW's, named FOLDER:NAME."""
    return frozenset(name for name in people if ":" in name)


def hash_fraction(name: str) -> float:
    """A number in 0..1 that depends on the name alone, evenly distributed."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def select_rows(people: Sequence[str], selected: Iterable[str]) -> NDArray[np.int64]:
    """The rows, in order, whose person is among the selected ones."""
    chosen = frozenset(selected)
    return np.array([row for row, person in enumerate(people) if person in chosen], np.int64)


def label_people(people: Sequence[str]) -> NDArray[np.int64]:
    """A label 0..P-1 for each name (N,), in alphabetical order of the names."""
    return np.unique(np.array(people), return_inverse=True)[1].astype(np.int64)
