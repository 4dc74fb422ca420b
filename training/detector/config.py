"""One training of the face detector: a TOML file as frozen dataclasses, every field checked."""

from pathlib import Path
from typing import Final

from pydantic.dataclasses import dataclass as checked

from training.config import STRICT, AugmentationConfig, CropConfig, TrainingConfig, load_checked

CONFIG: Final = Path(__file__).parents[1] / "configs" / "detector" / "locator.toml"
LANDMARKS: Final = CONFIG.with_name("landmarks.toml")


@checked(frozen=True, config=STRICT)
class SplitConfig:
    """Whose photos train, by LFW's lists; `validation_share` of those people choose."""

    train_people: str
    test_people: str
    validation_share: float


@checked(frozen=True, config=STRICT)
class PeopleConfig(SplitConfig):
    """`least_score`: the teacher's, from which on a face counts as one; below it, the place is left out of the loss."""

    least_score: float


@checked(frozen=True, config=STRICT)
class CompositeConfig:
    """Pictures of `size` pixels made of `grids` x `grids` photos, drawn alike. A face takes `least_share` to
    `most_share` of its cell's side, turned by up to `rotation` degrees; smaller than `least_side` pixels, or less than
    half inside, it is left out of the loss. `pictures`: of scikit-image, without a face. The others are chances."""

    size: int
    grids: tuple[int, ...]
    least_share: float
    most_share: float
    rotation: float
    least_side: float
    empty: float  # a cell without a face
    turned: float  # a face on its side or its head, which is none: turning the photo is model/detector/orientation.py's affair
    covered: float  # something before a part of a face
    glasses: float
    pictures: tuple[str, ...]
    faceless: float  # a background is part of one of `pictures`


@checked(frozen=True, config=STRICT)
class LocatorConfig:
    width: float
    box_weight: float
    landmark_weight: float


@checked(frozen=True, config=STRICT)
class ScoreConfig:
    """The detector's thresholds, 0..1; see model/detector/bundle.py and model/face.py. Chosen on held-out people with
    `python -m training detector scores`."""

    least: float
    last: float
    sure: float
    turned: float


@checked(frozen=True, config=STRICT)
class AlignmentConfig:
    """`scale`: how much larger a face should be in its crop than MTCNN's landmarks would have it; chosen on validation
    people with `python -m training detector frames`."""

    scale: float


@checked(frozen=True, config=STRICT)
class DetectorConfig:
    name: str
    version: str
    people: PeopleConfig
    composites: CompositeConfig
    network: LocatorConfig
    augmentation: AugmentationConfig
    training: TrainingConfig
    batch: int
    scores: ScoreConfig
    alignment: AlignmentConfig


@checked(frozen=True, config=STRICT)
class GuessConfig:
    """How wrong the landmarks are from which the refiner starts, as standard deviations: of the whole face in degrees,
    as a share and in distances between the eyes, and of each landmark by itself. Photos are shrunk by 1 to `blocks`."""

    rotation: float
    scale: float
    shift: float
    each: float
    blocks: int


@checked(frozen=True, config=STRICT)
class LandmarkConfig:
    name: str
    version: str
    people: SplitConfig
    crops: CropConfig
    width: float
    guess: GuessConfig
    augmentation: AugmentationConfig
    training: TrainingConfig
    batch: int


def load_detector_config(path: Path) -> DetectorConfig:
    """Raises ConfigError naming the field that is wrong."""
    return load_checked(path, DetectorConfig)


def load_landmark_config(path: Path) -> LandmarkConfig:
    """Raises ConfigError naming the field that is wrong."""
    return load_checked(path, LandmarkConfig)
