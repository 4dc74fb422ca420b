"""UTKFace (Zhang, Song, Qi 2017): faces with age, sex and origin, for non-commercial research; here for testing only.

Its photos are named AGE_SEX_ORIGIN_TIME.jpg. They come from the web, so some people are there more than once, and a
false match rate from all pairs of a group is an upper bound.
"""

import re
from typing import Final

from training.data.errors import DataError

FOLDER: Final = "utkface"
SEXES: Final = ("men", "women")
ORIGINS: Final = ("white", "Black", "East Asian", "Indian", "of other origin")  # as its authors sorted them by eye
ADULT: Final = 18  # years

_NAME: Final = re.compile(r"(?:.*/)?(\d{1,3})_([01])_([0-4])_\d+\.jpg")


def group_of(name: str) -> str | None:
    """The group of a photo, such as "Black women"; None for a child. Raises DataError for another name."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError(f"{name} is not a photo of UTKFace, such as 26_1_2_20170116184114350.jpg.")
    if int(match[1]) < ADULT:
        return None
    sex, origin = SEXES[int(match[2])], ORIGINS[int(match[3])]
    return f"{sex} {origin}" if origin.startswith("of ") else f"{origin} {sex}"
