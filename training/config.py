"""The config of an experiment: a TOML file as frozen dataclasses. Every field is checked."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol, Self, TypeVar

from pydantic import (
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass as checked

CONFIGS: Final = Path(__file__).parent / "configs"
STRICT: Final = ConfigDict(extra="forbid")
T = TypeVar("T")
CropDetector = Literal["service", "mtcnn"]
CropTemplate = Literal["dlib", "sface", "retail-0095"]
CropAlignment = Literal["similarity-bicubic-1", "similarity-bicubic-2"]
Share = Annotated[float, Field(ge=0, le=1)]  # or a probability


class ConfigError(Exception):
    """A config is missing or invalid, or does not fit a checkpoint. The message says what is wrong, then what to do."""


@checked(frozen=True, config=STRICT)
class DataConfig:
    """Who trains and who tests, as names of LFW's lists.

    Of the people in `train_people`, `validation_share` validate, `calibration_share` calibrate and the rest train.
    People with more than `most_photos` photos always train, and so do the people of `more`: other folders in the data
    folder.
    """

    train_people: str
    test_people: str
    validation_share: Share
    calibration_share: Share
    most_photos: NonNegativeInt
    more: tuple[str, ...] = ()


@checked(frozen=True, config=STRICT)
class CropConfig:
    """The crops that train. Sizes are in pixels.

    `detector` finds their faces: that of the service, or MTCNN, which the first runs had. Calibration and evaluation
    always use the detector of the service. `template` says where in the crop the landmarks lie, `alignment` how the
    crop is cut (model/alignment.py).
    """

    size: PositiveInt  # of the crop that the encoder gets
    margin: NonNegativeInt  # on each side, for augmentation
    detector: CropDetector = "mtcnn"
    template: CropTemplate = "dlib"
    alignment: CropAlignment = "similarity-bicubic-1"

    @property
    def stored_size(self) -> int:
        """The side, in pixels, of the crops that `prepare` writes."""
        return self.size + 2 * self.margin


@checked(frozen=True, config=STRICT)
class NetworkConfig:
    """The encoder; for `mirror` and `side` see model/encoder/network.py.

    `start` names the initial weights: "random", "sface", "retail-0095" or "retail-0095+sface" (see
    training/encoder/weights/open_weights.py), or a bundle, which then also gives the distillation targets.
    """

    architecture: str
    embedding_dim: PositiveInt = 128
    width: PositiveFloat = 1.0
    hidden: PositiveInt = 512
    dropout: Share = 0.0
    mirror: bool = False
    side: NonNegativeInt = 0
    start: str = "random"


@checked(frozen=True, config=STRICT)
class LossConfig:
    """The loss: `weight` times the pair loss, plus `distillation_weight` times the squared distance to the targets.

    `kind` is the pair loss: contrastive (see training/encoder/losses.py) or the paper's cross-entropy (see
    training/encoder/siamese_head.py), which has neither margins nor mining. `distillation_own_share` is the weight of a
    photo's own embedding in its target (see training/encoder/distillation.py).
    """

    kind: Literal["contrastive", "cross_entropy"] = "contrastive"
    margin: NonNegativeFloat = 0.0
    mining: Literal["all", "hard"] = "all"
    genuine_weight: NonNegativeFloat = 1.0
    genuine_margin: NonNegativeFloat = 0.0
    weight: NonNegativeFloat = 1.0
    distillation_weight: NonNegativeFloat = 0.0
    distillation_own_share: Share = 1.0

    @model_validator(mode="after")
    def _has_margin(self) -> Self:
        if self.kind == "contrastive" and self.margin <= 0:
            raise ValueError("the contrastive loss needs a margin above 0")
        return self


@checked(frozen=True, config=STRICT)
class SamplingConfig:
    """A batch: `people` people with `photos` photos each."""

    people: PositiveInt
    photos: PositiveInt


@checked(frozen=True, config=STRICT)
class AugmentationConfig:
    """The strength of each augmentation (see training/data/augmentation.py).

    `rotation` is in degrees, either way. `scale`, `shift`, `shear`, `brightness` and `contrast` are shares, either way.
    `low` is the largest factor by which `blur` lowers the resolution. The others are probabilities.
    """

    rotation: NonNegativeFloat
    scale: NonNegativeFloat
    shift: NonNegativeFloat
    brightness: NonNegativeFloat
    contrast: NonNegativeFloat
    grey: Share
    blur: Share
    erase: Share
    mirror: Share = 0.5
    shear: NonNegativeFloat = 0.0
    low: Annotated[int, Field(ge=2)] = 3
    jpeg: Share = 0.0
    dark: Share = 0.0
    borders: Share = 0.0
    glasses: Share = 0.0


@checked(frozen=True, config=STRICT)
class HeadConfig:
    """The layers over the branches of a paired encoder, which train while the branches stay as they are.

    `retail_share`: the weight, 0..1, of retail-0095's part of the embedding at the start; SFace has the rest. `hold`:
    weight of the squared distance of the fully connected layer to its start. `most_photos`: of one person, that train.
    `impostors`: the folder of All-Age-Faces, which has one photo a person, so that all of its pairs are impostor
    pairs; its people of `least_age` years or more train, `impostors_per_batch` at once, with the weight
    `impostor_weight`. `degraded_people`: people a batch whose crops are degraded (training/data/degradations.py), two
    photos each; `degraded_impostors` and `degraded_weight`: the same as above for them.
    """

    retail_share: Share
    hold: NonNegativeFloat
    most_photos: PositiveInt
    impostors: str
    least_age: NonNegativeInt
    impostors_per_batch: PositiveInt
    impostor_weight: NonNegativeFloat
    degraded_people: PositiveInt
    degraded_impostors: PositiveInt
    degraded_weight: NonNegativeFloat


@checked(frozen=True, config=STRICT)
class TrainingConfig:
    """The optimization: AdamW with a linear warm-up and a cosine decay, and an exponential moving average of weights.

    `ema` is the decay of that average. Training stops after `patience` validations without a better one.
    """

    seed: int
    steps: PositiveInt
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    warmup_steps: NonNegativeInt
    ema: Share
    validate_every: PositiveInt  # steps
    patience: PositiveInt
    precision: Literal["float32", "bf16"]
    validate_fmr: Annotated[float, Field(gt=0, lt=1)] = 1e-3


@checked(frozen=True, config=STRICT)
class CalibrationConfig:
    """`photos`: a folder NAME/photo.jpg of other people in the data folder, beside the split's calibration people.
    `strangers`: the folder of All-Age-Faces, whose groups by sex and age bound the thresholds; none if empty.
    `label_errors`: its photos that show another person than their label says, found by inspection.
    """

    default_fmr: Annotated[float, Field(gt=0, lt=1)]
    photos: str = ""
    strangers: str = ""
    label_errors: tuple[str, ...] = ()


@checked(frozen=True, config=STRICT)
class Config:
    """An experiment. `name` is also the name of its bundle."""

    name: str
    version: str
    data: DataConfig
    crops: CropConfig
    network: NetworkConfig
    loss: LossConfig
    sampling: SamplingConfig
    training: TrainingConfig
    calibration: CalibrationConfig
    augmentation: AugmentationConfig | None = None
    head: HeadConfig | None = None

    @model_validator(mode="after")
    def _fits_the_network(self) -> Self:
        if self.network.architecture == "paired":
            if self.head is None or self.augmentation is not None:
                raise ValueError('the network "paired" needs [head], and has no [augmentation]')
        elif self.head is not None or self.augmentation is None:
            raise ValueError(f'the network "{self.network.architecture}" needs [augmentation], and has no [head]')
        return self


class TrainableConfig(Protocol):
    """A config dataclass with a [training] section."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def training(self) -> TrainingConfig:
        """How to take the steps."""


def matches_config(saved: object, config: object) -> bool:
    """Whether the config that a run saved, as a dict, gives the same weights as `config`.

    Fields that are missing in `saved` have their defaults. Thresholds do not count: they do not change the weights.
    """
    try:
        parsed: Any = TypeAdapter(type(config)).validate_python(saved)
    except ValidationError:
        return False
    chosen_after_training = {
        name: getattr(config, name) for name in ("calibration", "scores", "alignment") if hasattr(config, name)
    }
    return bool(replace(parsed, **chosen_after_training) == config)


def load_config(path: Path) -> Config:
    """Loads the config of an experiment. Raises ConfigError like `load_toml`."""
    return load_toml(path, Config)


def load_toml(path: Path, kind: type[T]) -> T:
    """Loads a TOML file as a checked dataclass.

    Raises ConfigError if the file is missing or is not TOML, or if a field is unknown, missing or out of range.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError(f"There is no config {path}. The shipped configs are in training/configs.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Name a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}. Fix the file.") from error
    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}. Fix this field.") from error


def display_path(config: Path) -> str:
    """The config's path relative to the project's folder, or its file name if it is elsewhere."""
    root = CONFIGS.parent.parent
    return str(config.resolve().relative_to(root)) if config.resolve().is_relative_to(root) else config.name
