"""CelebA (Liu et al. 2015, 'Deep Learning Face Attributes in the Wild') as folders of people, its test partition apart.

CelebA is for non-commercial research; its people are known by number only. Its test partition calibrates and tests and
trains nothing; of the rest only `configs/research.toml` learns.
"""

import os
import shutil
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from training.data.photos import DataError

FIRST_OF_TEST: Final = 182_638  # file number


class Partition(StrEnum):
    TEST = "test"
    TRAINING = "training"  # the official training and validation partitions


def arrange(identities: Path, folders: Sequence[Path], partition: Partition, target: Path) -> int:
    """Links (or copies, on another disk) each file NUMBER.jpg of that partition as PERSON/NUMBER.jpg below `target`;
    `identities` is CelebA's identity_CelebA.txt. Of a file that lies in several folders the first counts, so name the
    folder with the largest photos first. Returns how many there are. Raises DataError."""
    if not identities.is_file():
        raise DataError(f"{identities} is missing: it is CelebA's list of FILE PERSON lines.")
    rows = (line.split() for line in identities.read_text().splitlines())
    person_of = {row[0]: row[1] for row in rows if len(row) == 2 and row[1].isdigit()}
    chosen: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.jpg")) if path.stem.isdigit()):
        if (int(path.stem) >= FIRST_OF_TEST) == (partition is Partition.TEST):
            chosen.setdefault(path.name, path)
    if not chosen:
        places = ", ".join(map(str, folders))
        raise DataError(f"{places}: no file of CelebA's {partition} partition (test is {FIRST_OF_TEST}.jpg and up).")
    for name, path in chosen.items():
        if name not in person_of:
            raise DataError(f"{identities} does not say who {name} shows.")
        place = target / person_of[name] / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_file():
            _link(path, place)
    return len(chosen)


def _link(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)
