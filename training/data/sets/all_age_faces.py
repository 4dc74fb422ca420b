"""All-Age-Faces (Cheng et al. 2019, 'Exploiting effective facial patches for robust gender recognition'): one photo of
each of 13,322 people, most of them Asian, aged 2 to 80.

Every pair of its photos is an impostor pair. Its photos are named NUMBERAage.jpg; women come first.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from training.data.errors import DataError
from training.data.splits import hash_fraction

FOLDER: Final = "all-age-faces"
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
    """The rows whose people are in this part; `names` are as parse_name takes them."""
    return [row for row, name in enumerate(names) if part_of(name) == part]


def part_of(name: str) -> Part:
    """The part of a photo, by the hash of its name STEM/photo.jpg, as in `training/detector/splits.py`."""
    place = hash_fraction(name)
    return next(part for part, end in PART_ENDS.items() if place < end)
