"""The config of the detector's training: a TOML file as frozen dataclasses, every field checked."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass as checked

from training.config import CONFIGS, STRICT, AugmentationConfig, TrainingConfig, load_toml

DETECTOR_CONFIG: Final = CONFIGS / "detector" / "detector.toml"
Share = Annotated[float, Field(ge=0, le=1)]


@checked(frozen=True, config=STRICT)
class SplitConfig:
    """LFW's lists of the people who train and of those who test; `validation_share` of the former validate instead."""

    train_people: str
    test_people: str
    validation_share: Share


@checked(frozen=True, config=STRICT)
class OtherPhotosConfig:
    """Folders of photos below the data folder, beside LFW.

    `faces`: portraits, each the photo of one person. `no_faces`: photos without people, but for those that the file
    `with_people`, beside the config, lists. `validation_share` of each validate, chosen by a hash of the file's name;
    `test_share` of the portraits are left to the reports.
    """

    faces: tuple[str, ...]
    no_faces: tuple[str, ...]
    with_people: str
    validation_share: Share
    test_share: Share


@checked(frozen=True, config=STRICT)
class GuessConfig:
    """The errors of the landmarks that the refiner starts from, as standard deviations.

    Of the whole face: `rotation` in degrees, `scale` as a share, `shift` in eye distances. Of each landmark: `each`, in
    eye distances. Patches are shrunk by a factor of 1 to `blocks`.
    """

    rotation: float
    scale: float
    shift: float
    each: float
    blocks: PositiveInt


@checked(frozen=True, config=STRICT)
class ScoreConfig:
    """The detector's thresholds on chances, 0..1; see model/detector/bundle.py and model/face.py.

    Decision 18 says on which photos they were chosen. `refiner_share`: the weight of the
    refiner's logit beside that of the close look.
    """

    least: Share
    sure: Share
    turned: Share
    refiner_share: Share = 0.15


@checked(frozen=True, config=STRICT)
class AlignmentConfig:
    """`scale`: the size of a face in its crop, relative to its size with MTCNN's landmarks.

    It is chosen on validation people with `python -m training detector scales`.
    """

    scale: PositiveFloat


@checked(frozen=True, config=STRICT)
class DetectorConfig:
    """The training and export of the detector: YuNet's weights as they come, and a refiner that is trained.

    `yunet`: its file below the data folder. `width` scales the refiner's channels. `face_weight`: the weight of the
    answer 'is it a face?' in the loss, beside the landmarks. `hard_share`: of the faces of a batch, the share that
    MTCNN missed or doubted, or that other portraits show; they have no landmarks.
    """

    name: str
    version: str
    yunet: str
    people: SplitConfig
    photos: OtherPhotosConfig
    width: PositiveFloat
    face_weight: PositiveFloat
    hard_share: Share
    guess: GuessConfig
    augmentation: AugmentationConfig
    training: TrainingConfig
    batch: PositiveInt
    scores: ScoreConfig
    alignment: AlignmentConfig


def load_detector_config(path: Path) -> DetectorConfig:
    """Raises ConfigError naming the field that is wrong."""
    return load_toml(path, DetectorConfig)
