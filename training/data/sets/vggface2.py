"""The names of the people of VGGFace2 (Cao et al. 2018), on which open weights may have been trained.

Only the list of names is read. An encoder may tell people apart better whom it knows, so reports and thresholds say
what they are without these names.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from training.data.errors import DataError

FILE: Final = "vggface2_identity_meta.csv"


def without_known_names(people: Iterable[str], data: Path) -> frozenset[str]:
    """The people, named First_Last as in LFW, whose name is not in VGGFace2.

    Raises DataError if the list is neither in the data folder nor in ./data.
    """
    known = read_names(data)
    return frozenset(person for person in people if normalise(person) not in known)


def read_names(data: Path) -> frozenset[str]:
    """The names of VGGFace2's people, normalised. Raises DataError as above."""
    for folder in (data, Path("data")):
        if (folder / FILE).is_file():
            with (folder / FILE).open(encoding="utf-8", newline="") as stream:
                rows = list(csv.reader(stream, skipinitialspace=True))[1:]
            return frozenset(normalise(row[1]) for row in rows if len(row) > 1)
    raise DataError(
        f"{Path('data') / FILE} does not exist. Save identity_meta.csv of VGGFace2's repository (ox-vgg/vgg_face2, "
        "folder meta) under this name."
    )


def normalise(name: str) -> str:
    """A name in lower case, without accents, quotes and underscores."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z0-9]+", plain.lower()))
