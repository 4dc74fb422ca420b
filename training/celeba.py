"""CelebA's test partition (Liu et al. 2015, 'Deep Learning Face Attributes in the Wild') as a folder of people.

CelebA is for non-commercial research; its people are known by number only. Here it calibrates and tests, and no
shipped weights learn from it.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from training.photos import DataError

FIRST_OF_TEST: Final = 182_638  # file number


def arrange_test_partition(photos: Path, identities: Path, target: Path) -> int:
    """Links (or copies, on another disk) each file NUMBER.jpg of the test partition as PERSON/NUMBER.jpg below
    `target`; `identities` is CelebA's identity_CelebA.txt. Returns how many there are. Raises DataError."""
    if not identities.is_file():
        raise DataError(f"{identities} is missing: it is CelebA's list of FILE PERSON lines.")
    rows = (line.split() for line in identities.read_text().splitlines())
    person_of = {row[0]: row[1] for row in rows if len(row) == 2 and row[1].isdigit()}
    chosen = [path for path in sorted(photos.glob("*.jpg")) if path.stem.isdigit() and int(path.stem) >= FIRST_OF_TEST]
    if not chosen:
        raise DataError(f"{photos} holds no file of CelebA's test partition ({FIRST_OF_TEST}.jpg and up).")
    for path in chosen:
        if path.name not in person_of:
            raise DataError(f"{identities} does not say who {path.name} shows.")
        place = target / person_of[path.name] / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_file():
            _link(path, place)
    return len(chosen)


def _link(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)
