"""What a network that others trained reads."""

from dataclasses import dataclass
from enum import StrEnum

from training.config import CropTemplate
from training.data.errors import DataError

Channels = tuple[float, float, float]


class Colours(StrEnum):
    """The order of the channels."""

    RGB = "rgb"
    BGR = "bgr"


class Landmarks(StrEnum):
    """Where the five landmarks lie in the crops, by the name that people know."""

    ARCFACE = "arcface"
    DLIB = "dlib"
    RETAIL_0095 = "retail-0095"

    @property
    def template(self) -> CropTemplate:
        """The name of the template in model/alignment.py."""
        return "sface" if self is Landmarks.ARCFACE else self.value  # type: ignore[return-value]


@dataclass(frozen=True)
class InputFormat:
    """Float (B, 3, size, size), (value - mean) / std for values 0..255; `mean` and `std` in the order of `colours`.

    Raises DataError if a `std` is 0.
    """

    size: int  # pixels
    landmarks: Landmarks
    colours: Colours
    mean: Channels
    std: Channels

    def __post_init__(self) -> None:
        if 0 in self.std:
            raise DataError("--std must not be 0.")


def parse_channels(text: str, option: str) -> Channels:
    """One number for all channels, or three separated by commas. Raises DataError, which names the option."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    match values:
        case [one]:
            return (one, one, one)
        case [first, second, third]:
            return (first, second, third)
    raise DataError(f"{option} takes one number, or three separated by commas, not {text!r}.")
