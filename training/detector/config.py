"""The configs of the detector's two training runs: TOML files as frozen dataclasses, every field checked."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass as checked

from training.config import CONFIGS, STRICT, AugmentationConfig, CropConfig, TrainingConfig, load_toml

LOCATOR_CONFIG: Final = CONFIGS / "detector" / "locator.toml"
LANDMARK_CONFIG: Final = CONFIGS / "detector" / "landmarks.toml"
Share = Annotated[float, Field(ge=0, le=1)]


@checked(frozen=True, config=STRICT)
class SplitConfig:
    """LFW's lists of the people who train and of those who test; `validation_share` of the former validate instead."""

    train_people: str
    test_people: str
    validation_share: Share


@checked(frozen=True, config=STRICT)
class PeopleConfig(SplitConfig):
    """`least_score`: pseudo-labels below this score are ignored: neither a face nor background."""

    least_score: Share


@checked(frozen=True, config=STRICT)
class CompositeConfig:
    """Composites of `size` pixels a side, made of `grids` x `grids` photos; one of the grids is drawn for each.

    The side of a face is `least_share` to `most_share` of its cell's, and the face is rotated by up to `rotation`
    degrees. Faces below `least_side` pixels, and faces less than half inside their cell, are ignored. The fields from
    `empty` on are probabilities, but for `pictures`: scikit-image's files without a human face.
    """

    size: PositiveInt
    grids: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    least_share: PositiveFloat
    most_share: PositiveFloat
    rotation: float
    least_side: float
    empty: Share  # a cell without a face
    turned: Share  # a face on its side or upside down, which is background: the detector tries other orientations later
    covered: Share  # an object in front of a face
    glasses: Share
    pictures: tuple[str, ...]
    faceless: Share  # a background from one of `pictures`


@checked(frozen=True, config=STRICT)
class LocatorNetworkConfig:
    """`width` scales the channels; the weights are those of the terms of the loss."""

    width: PositiveFloat
    box_weight: float
    landmark_weight: float


@checked(frozen=True, config=STRICT)
class ScoreConfig:
    """The detector's thresholds, 0..1; see model/detector/bundle.py and model/face.py.

    They are chosen on validation people with `python -m training detector scores`.
    """

    least: Share
    last: Share
    sure: Share
    turned: Share


@checked(frozen=True, config=STRICT)
class AlignmentConfig:
    """`scale`: the size of a face in its crop, relative to its size with MTCNN's landmarks.

    It is chosen on validation people with `python -m training detector scales`.
    """

    scale: PositiveFloat


@checked(frozen=True, config=STRICT)
class DetectorConfig:
    """The training and export of the locator."""

    name: str
    version: str
    people: PeopleConfig
    composites: CompositeConfig
    network: LocatorNetworkConfig
    augmentation: AugmentationConfig
    training: TrainingConfig
    batch: PositiveInt
    scores: ScoreConfig
    alignment: AlignmentConfig


@checked(frozen=True, config=STRICT)
class GuessConfig:
    """The errors of the landmarks that the refiner starts from, as standard deviations.

    Of the whole face: `rotation` in degrees, `scale` as a share, `shift` in eye distances. Of each landmark: `each`, in
    eye distances. Crops are shrunk by a factor of 1 to `blocks`.
    """

    rotation: float
    scale: float
    shift: float
    each: float
    blocks: PositiveInt


@checked(frozen=True, config=STRICT)
class LandmarkConfig:
    """The training of the landmark refiner."""

    name: str
    version: str
    people: SplitConfig
    crops: CropConfig
    width: PositiveFloat
    guess: GuessConfig
    augmentation: AugmentationConfig
    training: TrainingConfig
    batch: PositiveInt


def load_detector_config(path: Path) -> DetectorConfig:
    """Raises ConfigError naming the field that is wrong."""
    return load_toml(path, DetectorConfig)


def load_landmark_config(path: Path) -> LandmarkConfig:
    """Raises ConfigError naming the field that is wrong."""
    return load_toml(path, LandmarkConfig)
