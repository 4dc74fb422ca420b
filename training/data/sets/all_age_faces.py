"""All-Age-Faces (Cheng et al. 2019, 'Exploiting effective facial patches for robust gender recognition'): one photo of
each of 13,322 people, most of them Asian, aged 2 to 80.

Every pair of its photos is an impostor pair, but some people are there twice: `DOUBLES` lists the photos to leave out.
Its photos are named NUMBERAage.jpg; women come first.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from training.data.errors import DataError
from training.data.splits import hash_fraction
from training.data.text import read_lines

FOLDER: Final = "all-age-faces"
DOUBLES: Final = Path(__file__).with_name("all_age_faces_doubles.txt")
LAST_WOMAN: Final = 7_380
ADULT: Final = 18  # years
Part = Literal["training", "validation", "calibration", "report"]
# Parts by the hash of the photo's name, each up to this number. The detector learns from the last two.
PART_ENDS: Final[Mapping[Part, float]] = {"report": 0.25, "calibration": 0.5, "validation": 0.6, "training": 1.0}
AGE_GROUPS: Final = ((2, 12), (13, 17), (18, 30), (31, 45), (46, 59), (60, 120))

_NAME: Final = re.compile(r"(?:.*/)?(\d{5})A(\d{2,3})\.jpg")


@dataclass(frozen=True)
class Person:
    """Who a photo shows, as its name says."""

    number: int
    age: int  # years

    @property
    def sex(self) -> Literal["women", "men"]:
        return "women" if self.number <= LAST_WOMAN else "men"

    @property
    def age_group(self) -> tuple[int, int]:
        """The first and the last year of the age group."""
        return next(group for group in AGE_GROUPS if self.age <= group[1])

    @property
    def group(self) -> str:
        """Sex and age group in words, such as "women 18-30"; children of both sexes together."""
        first, last = self.age_group
        years = f"{first} and older" if last == AGE_GROUPS[-1][1] else f"{first}-{last}"
        return f"{self.sex} {years}" if self.age >= ADULT else f"children {years}"

    @property
    def is_adult(self) -> bool:
        return self.age >= ADULT


def parse_name(name: str) -> Person:
    """Who a photo of All-Age-Faces shows. Raises DataError if it is not named as those are."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError(f"{name} is not a photo of All-Age-Faces, such as 00042A21.jpg.")
    return Person(int(match[1]), int(match[2]))


def rows_of_part(names: Iterable[str], part: Part) -> list[int]:
    """The rows whose people are in this part, without doubles; `names` are as parse_name takes them."""
    left_out = {double.left_out for double in read_doubles()}
    return [row for row, name in enumerate(names) if part_of(name) == part and Path(name).stem not in left_out]


@dataclass(frozen=True)
class Double:
    """Two photos, such as 00042A21, that show one person; the second one is left out."""

    kept: str
    left_out: str
    reason: str


@cache
def read_doubles() -> tuple[Double, ...]:
    """The people who are there twice within the calibration or the report part, as somebody saw who looked at the
    photos; those of the other parts were not looked for. Raises DataError if the list is damaged."""
    lines = [line for line in read_lines(DOUBLES, "the list of doubles") if not line.startswith("#")]
    doubles = [Double(*line.split(" ", 2)) for line in lines if line.count(" ") >= 2]
    if len(doubles) < len(lines):
        raise DataError(f"{DOUBLES}: a line should name two photos and the reason. Get the file again.")
    return tuple(doubles)


def part_of(name: str) -> Part:
    """The part of a photo, by the hash of its name STEM/photo.jpg, as in `training/detector/splits.py`."""
    place = hash_fraction(name)
    return next(part for part, end in PART_ENDS.items() if place < end)
