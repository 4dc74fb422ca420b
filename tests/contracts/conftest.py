"""An empty store of each kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.gallery import open_gallery
from app.gallery.base import Gallery
from tests.support.galleries import Open


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty store."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'deep' / 'gallery.db'}"


@pytest.fixture
async def reopen(url: str) -> AsyncIterator[Open]:
    """Opens the same store again, as another process would."""
    opened: list[Gallery] = []

    async def once_more() -> Gallery:
        opened.append(await open_gallery(url))
        return opened[-1]

    yield once_more
    for gallery in opened:
        await gallery.close()


@pytest.fixture
async def gallery(reopen: Open) -> Gallery:
    return await reopen()
