"""Photos of live people and of attacks, from public collections: what each presentation is, and who it shows.

The collections are for research; they measure, and train nothing. Their photos are not part of this repository.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from training.data.errors import DataError
from training.data.photos import IMAGE_SUFFIXES, Photo, find_photos
from training.data.sets.celeba import FIRST_TEST_NUMBER


class Kind(StrEnum):
    """What is presented to the camera."""

    BONA_FIDE = "live person"
    PRINT = "print"
    REPLAY_TABLET = "replay on a tablet"
    REPLAY_PHONE = "replay on a phone"
    CUT_OUT = "mask cut-out"


ATTACKS: Final = tuple(kind for kind in Kind if kind is not Kind.BONA_FIDE)
NUAA_STEP: Final = 6  # every sixth photo: neighbours in NUAA are frames of one recording
_MSU_NAME: Final = re.compile(r"(real|attack)_client(\d+)_\w+?_(SD|HD)_(?:(ipad|iphone|printed)_\w+?_)?scene\d+\.jpg")
_MSU_KINDS: Final = {
    None: Kind.BONA_FIDE,
    "printed": Kind.PRINT,
    "ipad": Kind.REPLAY_TABLET,
    "iphone": Kind.REPLAY_PHONE,
}


@dataclass(frozen=True)
class Presentation:
    """One photo, what it is, and the number or name of the person whom it shows."""

    photo: Photo
    kind: Kind
    person: str


@dataclass(frozen=True)
class PresentationSet:
    """A collection. `by_camera`: its live people sat before a camera, as the networks expect; press photos did not."""

    name: str
    origin: str  # source and licence
    by_camera: bool
    presentations: tuple[Presentation, ...]


def load_nuaa(folder: Path) -> PresentationSet:
    """NUAA's photos in ClientRaw/ and ImposterRaw/, every NUAA_STEP-th of each person. Raises DataError."""
    presentations: list[Presentation] = []
    for name, kind in (("ClientRaw", Kind.BONA_FIDE), ("ImposterRaw", Kind.PRINT)):
        people: dict[str, list[Photo]] = {}
        for photo in find_photos(folder / name):
            people.setdefault(photo.person, []).append(photo)
        presentations += [
            Presentation(photo, kind, person) for person, photos in people.items() for photo in photos[::NUAA_STEP]
        ]
    origin = (
        "NUAA Photograph Imposter Database (Tan et al. 2010), for research, to be cited; webcams, flat and bent prints"
    )
    return PresentationSet("NUAA", origin, True, tuple(presentations))


def load_msu_mfsd(folder: Path) -> PresentationSet:
    """First frames of MSU-MFSD's videos, in real/ and attack/ below pics/. Raises DataError for another name."""
    presentations = []
    for photo in [each for part in ("real", "attack") for each in _list_folder(folder / "pics" / part)]:
        match = _MSU_NAME.fullmatch(photo.file.name)
        if match is None:
            raise DataError(f"{photo.file} is not a frame of MSU-MFSD, such as real_client001_android_SD_scene01.jpg.")
        presentations.append(Presentation(photo, _MSU_KINDS[match[4]], match[2]))
    origin = (
        "MSU Mobile Face Spoofing Database (Wen, Han, Jain 2015), for research, to be cited; first frames of "
        "the phone's videos; A3 prints, iPad Air, iPhone 5S"
    )
    return PresentationSet("MSU-MFSD", origin, True, tuple(presentations))


def load_cut_outs(folder: Path) -> PresentationSet:
    """Photos of printed faces that were cut out, PERSON/photo.jpg by the person who is printed. Raises DataError."""
    chosen = tuple(Presentation(photo, Kind.CUT_OUT, photo.person) for photo in find_photos(folder))
    origin = "example pictures of a vendor (MiniAiLive), whose repository states no licence for them; held and worn"
    return PresentationSet("cut-outs", origin, True, chosen)


def load_lfw(photos: Sequence[Photo], people: Sequence[str]) -> PresentationSet:
    """LFW's first photo of each of these people. Raises DataError if one has none."""
    first = {photo.person: photo for photo in reversed(photos)}
    if absent := [person for person in people if person not in first]:
        raise DataError(f"LFW has no photo of {absent[0]}. Get the photos and the list from the same place.")
    chosen = tuple(Presentation(first[person], Kind.BONA_FIDE, person) for person in people)
    return PresentationSet(
        "LFW", "Labeled Faces in the Wild, peopleDevTest, one photo a person; press photos", False, chosen
    )


def load_celeba(folder: Path) -> PresentationSet:
    """One photo of each person of CelebA's test partition, PERSON/NUMBER.jpg. Raises DataError for other photos."""
    first: dict[str, Photo] = {}
    for photo in find_photos(folder):
        number = photo.file.stem
        if not number.isdigit() or int(number) < FIRST_TEST_NUMBER:
            raise DataError(f"{photo.file} is not of CelebA's test partition. Run `python -m training celeba` first.")
        first.setdefault(photo.person, photo)
    chosen = tuple(Presentation(photo, Kind.BONA_FIDE, person) for person, photo in first.items())
    origin = "CelebA's test partition (Liu et al. 2015), non-commercial research, one photo a person; press photos"
    return PresentationSet("CelebA", origin, False, chosen)


def _list_folder(folder: Path) -> list[Photo]:
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DataError(f"{folder} holds no photos.")
    return [Photo(f"{folder.name}/{path.name}", path) for path in files]
