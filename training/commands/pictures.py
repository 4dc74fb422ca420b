"""Pictures that a command writes to a file of the user's choice."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from training.data.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")


def check_picture_suffix(target: Path) -> None:
    """Raises DataError, before the work starts, if the name does not say which format to write."""
    if target.suffix.lower() not in PICTURE_SUFFIXES:
        raise DataError(f"{target} is not the name of a picture. It must end in {', '.join(PICTURE_SUFFIXES)}.")


def save_picture(picture: "Image.Image", target: Path) -> None:
    """Writes the picture and, if it is missing, its folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.save(target, quality=88)
