"""Fixtures that several folders share."""

import os
from pathlib import Path

import pytest

from training.data.errors import DataError
from training.data.photos import Photo, find_photos
from training.data.sets.lfw import find_data_folder, lfw_photo_source

pytest_plugins = ["tests.support.postgres"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def lfw_folder() -> Path:
    """The folder of LFW's photos and lists. Without them the test is skipped, or fails if FACETWIN_REQUIRE_DATA=1."""
    try:
        return find_data_folder()
    except DataError as error:
        if os.environ.get("FACETWIN_REQUIRE_DATA") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def weights_folder(lfw_folder: Path) -> Path:
    """The folder of open weights. Without it the test is skipped, or fails if FACETWIN_REQUIRE_DATA=1."""
    folder = lfw_folder / "weights"
    if not folder.is_dir():
        if os.environ.get("FACETWIN_REQUIRE_DATA") == "1":
            pytest.fail(f"{folder} does not exist")
        pytest.skip(f"{folder} does not exist")
    return folder


@pytest.fixture(scope="session")
def lfw(lfw_folder: Path) -> dict[str, Photo]:
    """LFW's photos by name."""
    return {photo.name: photo for photo in find_photos(lfw_photo_source(lfw_folder))}
