import pytest

from training.data.errors import DataError
from training.detector.composites.public_pictures import load_public_pictures
from training.detector.config import LOCATOR_CONFIG, load_detector_config


def test_the_pictures_of_the_config_are_installed() -> None:
    names = load_detector_config(LOCATOR_CONFIG).composites.pictures
    assert all(picture.ndim == 3 for picture in load_public_pictures(names))


def test_an_unknown_picture_is_named() -> None:
    with pytest.raises(DataError, match=r"lacks nosuch\.png"):
        load_public_pictures(["astronaut.png", "nosuch.png"])
