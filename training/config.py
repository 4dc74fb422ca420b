"""One experiment: a TOML file as frozen dataclasses, every field checked."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass as checked

STRICT = ConfigDict(extra="forbid")
T = TypeVar("T")


class ConfigError(Exception):
    """The config file is missing or says something impossible."""


@checked(frozen=True, config=STRICT)
class DataConfig:
    """`more`: folders in the data folder whose people all train, beside LFW's (see training/data/photos.py)."""

    train_people: str
    test_people: str
    validation_share: float
    calibration_share: float
    most_photos: int
    more: tuple[str, ...] = ()


@checked(frozen=True, config=STRICT)
class CropConfig:
    """The crops that train. `detector`: whose faces they are, MTCNN's where nothing is said, as in runs from before
    there was a choice; calibration and evaluation take those that the service finds."""

    size: int
    margin: int
    detector: Literal["locator", "mtcnn"] = "mtcnn"

    @property
    def stored(self) -> int:
        """Pixels a side of the crops that `prepare` writes."""
        return self.size + 2 * self.margin


@checked(frozen=True, config=STRICT)
class NetworkConfig:
    """`mirror` and `side`: see model/encoder/network.py. `start`: random weights; or dlib, those that `training/encoder/initial_weights.py`
    reads; or a bundle's name, whose vectors then are the anchors too (see training/encoder/distillation.py): distillation."""

    architecture: str
    embedding_dim: int = 128
    width: float = 1.0
    hidden: int = 512
    dropout: float = 0.0
    mirror: bool = False
    side: int = 0
    start: str = "random"


@checked(frozen=True, config=STRICT)
class LossConfig:
    """`weight` is that of the pair loss, `anchor_weight` that of the anchors (see training/encoder/distillation.py). `kind`: the
    contrastive loss, or the paper's cross-entropy (see training/encoder/siamese_head.py), to which margins and mining say nothing."""

    kind: Literal["contrastive", "cross_entropy"] = "contrastive"
    margin: float = 0.0
    mining: Literal["all", "hard"] = "all"
    genuine_weight: float = 1.0
    genuine_margin: float = 0.0
    weight: float = 1.0
    anchor_weight: float = 0.0
    anchor_own: float = 1.0

    @model_validator(mode="after")
    def _has_margin(self) -> Self:
        if self.kind == "contrastive" and self.margin <= 0:
            raise ValueError("the contrastive loss needs a margin above 0")
        return self


@checked(frozen=True, config=STRICT)
class SamplingConfig:
    people: int
    photos: int


@checked(frozen=True, config=STRICT)
class AugmentationConfig:
    """`rotation` in degrees, `scale`, `shift` and `shear` as shares, either way; `brightness` and `contrast` as shares,
    either way; `low` is the strongest reduction of resolution; the others are chances."""

    rotation: float
    scale: float
    shift: float
    brightness: float
    contrast: float
    grey: float
    blur: float
    erase: float
    mirror: float = 0.5
    shear: float = 0.0
    low: int = 3
    jpeg: float = 0.0
    dark: float = 0.0
    borders: float = 0.0
    glasses: float = 0.0


@checked(frozen=True, config=STRICT)
class TrainingConfig:
    seed: int
    steps: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    ema: float
    validate_every: int
    patience: int
    precision: Literal["float32", "bf16"]
    validate_fmr: float = 1e-3


@checked(frozen=True, config=STRICT)
class CalibrationConfig:
    """`photos`: a folder NAME/photo.jpg of other people in the data folder; none: the split's calibration people.
    `label_errors`: those of its photos that show somebody else than their label says, found by looking."""

    default_fmr: float
    photos: str = ""
    label_errors: tuple[str, ...] = ()


@checked(frozen=True, config=STRICT)
class Config:
    name: str
    version: str
    data: DataConfig
    crops: CropConfig
    network: NetworkConfig
    loss: LossConfig
    sampling: SamplingConfig
    augmentation: AugmentationConfig
    training: TrainingConfig
    calibration: CalibrationConfig


def is_of(saved: object, config: object) -> bool:
    """Whether what a run noted of its config says the same as `config`: a field that came later has its default, and
    thresholds say nothing of the weights."""
    try:
        noted: Any = TypeAdapter(type(config)).validate_python(saved)
    except ValidationError:
        return False
    chosen_later = {
        name: getattr(config, name) for name in ("calibration", "scores", "alignment") if hasattr(config, name)
    }
    return bool(replace(noted, **chosen_later) == config)


class Trains(Protocol):
    """Any config, a dataclass, that says how to take steps."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def training(self) -> TrainingConfig: ...


def load_config(path: Path) -> Config:
    """Raises ConfigError naming the field that is wrong."""
    return load_checked(path, Config)


def load_checked(path: Path, kind: type[T]) -> T:
    """A TOML file as a checked dataclass. Raises ConfigError naming the field that is wrong."""
    try:
        raw = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(f"There is no config {path}; the shipped ones are in training/configs.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
