"""Who trains, validates and tests the detector: by person, never by photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.data.errors import DataError
from training.data.photos import Photo, find_photos, hash_photos
from training.data.sets.lfw import lfw_photo_source, read_people
from training.data.splits import Split, hash_fraction
from training.detector.candidates import RULES, Candidates, collect_candidates, load_candidates
from training.detector.config import DETECTOR_CONFIG, DetectorConfig, SplitConfig
from training.detector.pseudo_labels import NO_FACES, LabelledPhotos, lfw_labels_file, pseudo_label
from training.detector.yunet_weights import load_yunet

SOURCES: Final = "docs/training.md says what belongs there"


@dataclass(frozen=True)
class LabelledSplit:
    """LFW's photos with pseudo-labels. No person is in two parts."""

    training: LabelledPhotos
    validation: LabelledPhotos
    test: LabelledPhotos


@dataclass(frozen=True)
class OtherPhotos:
    """The photos of one part that are not LFW's: portraits, and photos without people."""

    faces: tuple[Photo, ...]
    no_faces: tuple[Photo, ...]


def split_people(config: SplitConfig, lists: Path) -> Split:
    """Splits the training list by a hash of the name. `lists` is the folder of LFW's protocol files.

    Raises DataError if a list is missing or malformed.
    """
    people = frozenset(read_people(lists / config.train_people))
    validation = frozenset(name for name in people if hash_fraction(name) < config.validation_share)
    test = frozenset(read_people(lists / config.test_people))
    return Split(people - validation, validation, frozenset(), test)


def load_labelled_split(config: SplitConfig, data: Path, build: Path) -> LabelledSplit:
    """Labels LFW's photos, or reads the labels that an earlier run wrote below `build`.

    Raises DataError if photos or lists are missing, or if a part of the split has no photos.
    """
    people = split_people(config, data / "lfw")
    labels = pseudo_label(find_photos(lfw_photo_source(data)), lfw_labels_file(build))
    split = LabelledSplit(
        labels.of_people(people.training), labels.of_people(people.validation), labels.of_people(people.test)
    )
    if not (split.training and split.validation and split.test):
        raise DataError(
            f"The photos in {lfw_photo_source(data)} do not show the people of {config.train_people} and "
            f"{config.test_people}, or `validation_share` leaves a part of the split empty."
        )
    return split


def find_folder(data: Path, name: str) -> Path:
    """A photo set in the data folder, or in ./data. Raises DataError naming the folder."""
    for folder in (data / name, Path("data") / name):
        if folder.is_dir():
            return folder
    raise DataError(f"{Path('data') / name} does not exist. {SOURCES}.")


def split_other_photos(config: DetectorConfig, data: Path) -> dict[str, OtherPhotos]:
    """The portraits and the photos without people of each part: training, validation, test.

    Raises DataError naming a folder, or the list of photos to leave out, that is missing.
    """
    shares = config.photos
    with_people = _read_names(DETECTOR_CONFIG.with_name(shares.with_people))
    chosen: dict[str, tuple[list[Photo], list[Photo]]] = {part: ([], []) for part in ("training", "validation", "test")}
    for kind, names in enumerate((shares.faces, shares.no_faces)):
        test_share = shares.test_share if kind == 0 else 0.0
        for photo in (photo for name in names for photo in find_photos(find_folder(data, name))):
            if kind == 1 and photo.name in with_people:
                continue
            place = hash_fraction(photo.name)
            validation_end = test_share + shares.validation_share * (1 - test_share)
            part = "test" if place < test_share else "validation" if place < validation_end else "training"
            chosen[part][kind].append(photo)
    return {part: OtherPhotos(tuple(faces), tuple(no_faces)) for part, (faces, no_faces) in chosen.items()}


def _read_names(path: Path) -> frozenset[str]:
    try:
        return frozenset(path.read_text().split())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}. It should list photos, one a line.") from error


def load_candidates_of(config: DetectorConfig, part: str, data: Path, build: Path) -> Candidates:
    """The candidates of "training" or "validation", collected once and kept below `build`. Raises DataError."""
    labelled = load_labelled_split(config.people, data, build)
    people: LabelledPhotos = getattr(labelled, part)
    other = split_other_photos(config, data)[part]
    content = hash_photos([*people.photos, *other.faces, *other.no_faces])
    target = build / "detector" / f"candidates-{part}-rules-{RULES}-{content[:16]}.npz"
    if not target.is_file():
        network = load_yunet(data / config.yunet)
        collect_candidates(network, people, without_labels(other.faces), without_labels(other.no_faces)).save(target)
    return load_candidates(target)


def without_labels(photos: Sequence[Photo]) -> LabelledPhotos:
    """Photos whose faces are not labelled."""
    return LabelledPhotos(tuple(photos), (NO_FACES,) * len(photos))
