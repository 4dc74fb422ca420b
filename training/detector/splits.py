"""Who trains, validates and tests the detector: always by person, never by photo."""

from dataclasses import dataclass
from pathlib import Path

from training.data.errors import DataError
from training.data.lfw import lfw_photo_source, read_people
from training.data.photos import find_photos
from training.data.splits import Split, hash_fraction
from training.detector.config import SplitConfig
from training.detector.pseudo_labels import LabelledPhotos, pseudo_label


@dataclass(frozen=True)
class LabelledSplit:
    """LFW's photos with pseudo-labels. No person is in two parts."""

    training: LabelledPhotos
    validation: LabelledPhotos
    test: LabelledPhotos


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
    labels = pseudo_label(find_photos(lfw_photo_source(data)), build / "detector" / "lfw-pseudo-labels.json")
    split = LabelledSplit(
        labels.of_people(people.training), labels.of_people(people.validation), labels.of_people(people.test)
    )
    if not (split.training and split.validation and split.test):
        raise DataError(
            f"The photos in {lfw_photo_source(data)} do not show the people of {config.train_people} and "
            f"{config.test_people}, or `validation_share` leaves a part of the split empty."
        )
    return split
