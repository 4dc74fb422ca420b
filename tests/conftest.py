"""Fixtures that several folders share."""

import os
from pathlib import Path

import pytest

from training.data.photos import DataError, Photo, data_folder, find_photos, lfw_photos

pytest_plugins = ["tests.support.postgres"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def lfw_folder() -> Path:
    """LFW's photos and lists. Without them the test is skipped, or fails where FACETWIN_REQUIRE_DATA=1."""
    try:
        return data_folder()
    except DataError as error:
        if os.environ.get("FACETWIN_REQUIRE_DATA") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def lfw(lfw_folder: Path) -> dict[str, Photo]:
    """LFW's photos by name."""
    return {photo.name: photo for photo in find_photos(lfw_photos(lfw_folder))}
