"""Every contract test runs against an empty store of each kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.gallery import open_gallery
from app.gallery.base import Store
from tests.support.galleries import OpenGallery


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'deep' / 'gallery.db'}"


@pytest.fixture
async def reopen(url: str) -> AsyncIterator[OpenGallery]:
    """Opens the same store once more, like another process."""
    opened: list[Store] = []

    async def open_again() -> Store:
        opened.append(await open_gallery(url))
        return opened[-1]

    yield open_again
    for gallery in opened:
        await gallery.close()


@pytest.fixture
async def gallery(reopen: OpenGallery) -> Store:
    return await reopen()
