"""Photos of people as files `NAME/photo.jpg`, in a folder or in a plain tar, and LFW's official lists of them."""

import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic"}
LFW_URL: Final = "https://ndownloader.figshare.com/files/5976018"
LFW_SHA256: Final = "055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0"
# The official protocol files, with the md5 that torchvision's LFW data sets check too.
PROTOCOL_URL: Final = "http://vis-www.cs.umass.edu/lfw/"
PROTOCOL_MD5: Final = {
    "pairs.txt": "9f1ba174e4e1c508ff7cdf10ac338a7d",
    "pairsDevTest.txt": "5132f7440eb68cf58910c8a45a2ac10b",
    "pairsDevTrain.txt": "4f27cbf15b2da4a85c1907eb4181ad21",
    "people.txt": "450f0863dd89e85e73936a6d71a3474b",
    "peopleDevTest.txt": "e4bf5be0a43b5dcd9dc5ccfcb8fb19c5",
    "peopleDevTrain.txt": "54eaac34beb6d042ed3a7d883e247a21",
}


class DataError(Exception):
    """Photos or lists that are missing or malformed, with what to do about it."""


@dataclass(frozen=True)
class Photo:
    """`name` is NAME/file; the bytes are read from `file` at `offset` (a whole file: offset 0, size -1)."""

    name: str
    file: Path
    offset: int = 0
    size: int = -1

    @property
    def person(self) -> str:
        return self.name.split("/")[0]

    def read(self) -> bytes:
        with self.file.open("rb") as stream:
            stream.seek(self.offset)
            return stream.read(self.size)


def data_folder() -> Path:
    """FACETWIN_DATA, or ../shared/data, or data: the first that exists. Raises DataError where none does."""
    named = os.environ.get("FACETWIN_DATA")
    for place in [Path(named)] if named else [Path("../shared/data"), Path("data")]:
        if (place / "lfw").is_dir():
            return place
    raise DataError("LFW is not here. Run `make data`, or set FACETWIN_DATA to a folder that holds lfw/.")


def find_photos(source: Path) -> list[Photo]:
    """Every photo below a folder of people, or in an uncompressed tar of one, ordered by name. In a folder without
    folders each photo is a person's only one, STEM/photo.jpg. Raises DataError."""
    if source.is_dir():
        files = [path for path in source.glob("*/*") if path.suffix.lower() in SUFFIXES]
        photos = [Photo(f"{path.parent.name}/{path.name}", path) for path in files]
        if not photos:
            files = [path for path in source.glob("*") if path.suffix.lower() in SUFFIXES]
            photos = [Photo(f"{path.stem}/{path.name}", path) for path in files]
    elif source.is_file():
        try:
            with tarfile.open(source, "r:") as archive:
                photos = [
                    Photo("/".join(Path(member.name).parts[-2:]), source, member.offset_data, member.size)
                    for member in archive
                    if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES
                ]
        except tarfile.ReadError as error:
            raise DataError(f"{source} is not an uncompressed tar. Extract it and name the folder.") from error
    else:
        raise DataError(f"{source} does not exist.")
    if not photos:
        raise DataError(f"{source} holds no photos of the form NAME/photo.jpg.")
    return sorted(photos, key=lambda photo: photo.name)


def lfw_photos(data: Path) -> Path:
    """LFW's photos below the data folder: the tar, or the extracted folder."""
    tar = data / "lfw" / "lfw.tar"
    return tar if tar.is_file() else data / "lfw" / "lfw"


def people_of_folder(folder: Path) -> list[Photo]:
    """`find_photos`, with FOLDER: before each name, so that people of several folders stay apart."""
    return [replace(photo, name=f"{folder.name}:{photo.name}") for photo in find_photos(folder)]


def read_people(path: Path) -> list[str]:
    """The names of a `people*.txt` list of one fold. Raises DataError on another count than the list states."""
    lines = _lines(path)
    names = [line.split("\t")[0] for line in lines[1:]]
    if len(names) != int(lines[0]):
        raise DataError(f"{path} names {len(names)} people and states {lines[0]}.")
    return names


@dataclass(frozen=True)
class Pair:
    """Two photos by name, and whether they show the same person."""

    first: str
    second: str
    same: bool


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a `pairs*.txt` list. Raises DataError on a line of neither form."""
    return [_pair(path, line.split("\t")) for line in _lines(path)[1:]]


def read_people_folds(path: Path) -> list[list[str]]:
    """The names of each fold of View 2's `people.txt`. Raises DataError where the folds are not as long as stated."""
    lines = _lines(path)
    folds, at = [], 1
    for _ in range(int(lines[0])):
        count = int(lines[at]) if at < len(lines) else 0
        names = [line.split("\t")[0] for line in lines[at + 1 : at + 1 + count]]
        if not count or len(names) != count:
            raise DataError(f"{path}: a fold is not as long as it states.")
        folds.append(names)
        at += 1 + count
    return folds


def read_pair_folds(path: Path) -> list[list[Pair]]:
    """The pairs of each fold of View 2's `pairs.txt`. Raises DataError on another count than the list states."""
    lines = _lines(path)
    folds, each = (int(number) for number in lines[0].split())
    pairs = read_pairs(path)
    if len(pairs) != folds * each * 2:
        raise DataError(f"{path} holds {len(pairs)} pairs and states {folds * each * 2}.")
    return [pairs[fold * each * 2 : (fold + 1) * each * 2] for fold in range(folds)]


def read_pair_list(path: Path) -> list[list[Pair]]:
    """The folds of a list of pairs: of LFW's form (`pairs*.txt`), or a line a pair, `NAME/photo.jpg NAME/photo.jpg 1`
    with 1 for the same person and 0 for others, separated by tabs, and the number of its fold as a fourth field if
    there are several. Raises DataError."""
    rows = [line.split("\t") for line in _lines(path)]
    if rows and all(field.isdigit() for field in rows[0]):
        return read_pair_folds(path) if len(rows[0]) == 2 else [read_pairs(path)]
    folds: dict[str, list[Pair]] = {}
    for row in rows:
        if len(row) not in (3, 4) or row[2] not in ("0", "1"):
            raise DataError(f"{path}: {' '.join(row)!r} is not a pair: photo, photo, 1 or 0, and a fold if you like.")
        folds.setdefault(row[3] if len(row) == 4 else "", []).append(Pair(row[0], row[1], same=row[2] == "1"))
    if not folds:
        raise DataError(f"{path} holds no pairs.")
    return list(folds.values())


def _pair(path: Path, fields: Sequence[str]) -> Pair:
    match fields:
        case [name, first, second]:
            return Pair(lfw_name(name, first), lfw_name(name, second), same=True)
        case [name, first, other, second]:
            return Pair(lfw_name(name, first), lfw_name(other, second), same=False)
    raise DataError(f"{path}: {' '.join(fields)!r} is not a pair.")


def lfw_name(person: str, number: str) -> str:
    """LFW's file of a person's photo number."""
    return f"{person}/{person}_{int(number):04d}.jpg"


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"{path} is missing: a list of pairs or people, such as LFW's official protocol files.")
    return [line for line in path.read_text().splitlines() if line.strip()]
