"""Labeled Faces in the Wild (Huang et al. 2007): where its photos and official lists come from, and where they are."""

import os
from pathlib import Path
from typing import Final

from training.data.errors import DataError
from training.data.text import read_lines

PHOTOS_URL: Final = "https://ndownloader.figshare.com/files/5976018"
PHOTOS_SHA256: Final = "055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0"
# The official protocol files, with the MD5 sums that torchvision's LFW data sets check too.
PROTOCOL_URL: Final = "http://vis-www.cs.umass.edu/lfw/"
PROTOCOL_MD5: Final = {
    "pairs.txt": "9f1ba174e4e1c508ff7cdf10ac338a7d",
    "pairsDevTest.txt": "5132f7440eb68cf58910c8a45a2ac10b",
    "pairsDevTrain.txt": "4f27cbf15b2da4a85c1907eb4181ad21",
    "people.txt": "450f0863dd89e85e73936a6d71a3474b",
    "peopleDevTest.txt": "e4bf5be0a43b5dcd9dc5ccfcb8fb19c5",
    "peopleDevTrain.txt": "54eaac34beb6d042ed3a7d883e247a21",
}
DEFAULT_FOLDERS: Final = (Path("../shared/data"), Path("data"))


def find_data_folder() -> Path:
    """The folder that holds lfw/: FACETWIN_DATA if it is set, else the first of ../shared/data and data that does.

    Raises DataError if there is none.
    """
    named = os.environ.get("FACETWIN_DATA")
    for folder in (Path(named),) if named else DEFAULT_FOLDERS:
        if (folder / "lfw").is_dir():
            return folder
    places = named or " or ".join(map(str, DEFAULT_FOLDERS))
    raise DataError(f"LFW is not in {places}. Run `make data`, or set FACETWIN_DATA to a folder that holds lfw/.")


def lfw_photo_source(data: Path) -> Path:
    """LFW's photos in the data folder: the tar if there is one, else the extracted folder."""
    tar = data / "lfw" / "lfw.tar"
    return tar if tar.is_file() else data / "lfw" / "lfw"


def download_lfw(data: Path) -> Path:
    """Downloads LFW's photos (180 MB) and protocol files into lfw/ below `data` and returns that folder.

    Files that are there already and have the right hash are kept. Raises DataError if pooch is not installed or a file
    cannot be fetched.
    """
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise DataError("The package pooch is not installed. Run `pip install 'facetwin[train]'`.") from error
    target = data / "lfw"
    try:
        pooch.retrieve(
            PHOTOS_URL,
            known_hash=f"sha256:{PHOTOS_SHA256}",
            fname="lfw.tgz",
            path=target,
            processor=pooch.Untar(extract_dir="."),
            progressbar=True,
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"LFW's photos could not be fetched from {PHOTOS_URL} ({type(error).__name__}). Save the archive (SHA-256 "
            f"{PHOTOS_SHA256}) as {target / 'lfw.tgz'} and run this again."
        ) from error
    for name, md5 in PROTOCOL_MD5.items():
        url = PROTOCOL_URL + name
        try:
            pooch.retrieve(url, known_hash=f"md5:{md5}", fname=name, path=target)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{name} could not be fetched from {url} ({type(error).__name__}). Save LFW's official file of that "
                f"name (MD5 {md5}) in {target} and run this again."
            ) from error
    return target


def read_people(path: Path) -> list[str]:
    """The names in a `people*.txt` list of one fold. Raises DataError if the list does not hold the stated number."""
    lines = read_lines(path, "one of LFW's people lists")
    stated = _parse_count(path, lines[0]) if lines else 0
    names = [line.split("\t")[0] for line in lines[1:]]
    if not lines or len(names) != stated:
        raise DataError(f"{path} holds {len(names)} people but states {stated}. Fetch the official file again.")
    return names


def read_people_folds(path: Path) -> list[list[str]]:
    """The names in each fold of View 2's `people.txt`. Raises DataError if a fold does not hold the stated number."""
    lines = read_lines(path, "LFW's people.txt")
    folds: list[list[str]] = []
    at = 1
    for _ in range(_parse_count(path, lines[0]) if lines else 0):
        count = _parse_count(path, lines[at]) if at < len(lines) else 0
        names = [line.split("\t")[0] for line in lines[at + 1 : at + 1 + count]]
        if not count or len(names) != count:
            raise DataError(f"{path}: fold {len(folds) + 1} is shorter than it states. Fetch the official file again.")
        folds.append(names)
        at += 1 + count
    if not folds:
        raise DataError(f"{path} holds no folds. Fetch the official file again.")
    return folds


def lfw_photo_name(person: str, number: int) -> str:
    """The name of a person's photo in LFW, such as Ada_Lovelace/Ada_Lovelace_0001.jpg for number 1."""
    return f"{person}/{person}_{number:04d}.jpg"


def _parse_count(path: Path, line: str) -> int:
    try:
        return int(line)
    except ValueError:
        raise DataError(f"{path}: {line!r} should be a number of people or folds.") from None
