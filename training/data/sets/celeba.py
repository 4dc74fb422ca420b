"""CelebA (Liu et al. 2015, 'Deep Learning Face Attributes in the Wild'), arranged as one folder for each person.

CelebA is for non-commercial research; its people are known by number only. Its test partition is for calibration and
testing, never for training. No config that comes with facetwin trains on the rest.
"""

import os
import shutil
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from training.data.errors import DataError
from training.data.text import read_lines

FIRST_TEST_NUMBER: Final = 182_638  # of a file


class Partition(StrEnum):
    """The partitions of CelebA that are kept apart."""

    TEST = "test"
    TRAINING = "training"  # the official training and validation partitions


def arrange_by_person(identities: Path, folders: Sequence[Path], partition: Partition, target: Path) -> int:
    """Links each photo NUMBER.jpg of the partition to PERSON/NUMBER.jpg below `target`; returns how many there are.

    Photos on another disk are copied. `identities` is CelebA's identity_CelebA.txt. If a photo is in several folders,
    the first one counts: name the folder with the largest photos first. Raises DataError if the list or the photos are
    missing, or if the list does not name the person of a photo.
    """
    rows = (line.split() for line in read_lines(identities, "CelebA's list of FILE PERSON lines"))
    person_of = {row[0]: row[1] for row in rows if len(row) == 2 and row[1].isdigit()}
    sources: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.jpg")) if path.stem.isdigit()):
        if (int(path.stem) >= FIRST_TEST_NUMBER) == (partition is Partition.TEST):
            sources.setdefault(path.name, path)
    if not sources:
        places = ", ".join(map(str, folders))
        raise DataError(
            f"{places}: no photo of CelebA's {partition} partition. Test photos are {FIRST_TEST_NUMBER}.jpg and up."
        )
    for name, path in sources.items():
        if name not in person_of:
            raise DataError(f"{identities} does not name the person of {name}. Use CelebA's own list.")
        place = target / person_of[name] / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_file():
            _link_or_copy(path, place)
    return len(sources)


def _link_or_copy(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)
