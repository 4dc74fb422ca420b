"""Where templates are kept."""

from pathlib import Path
from typing import Final

from app.gallery.base import Gallery

SQLITE, POSTGRES = "sqlite:///", "postgresql://"
KINDS: Final = (SQLITE, POSTGRES)


async def open_gallery(url: str) -> Gallery:
    """The gallery that `url` names: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE. Raises GalleryError
    where it cannot be opened, ValueError on another kind of URL."""
    if url.startswith(SQLITE):
        from app.gallery.sqlite.gallery import SqliteGallery

        return await SqliteGallery.open(Path(url.removeprefix(SQLITE)))
    if url.startswith(POSTGRES):
        from app.gallery.postgres.gallery import PostgresGallery  # of the extra `postgres`

        return await PostgresGallery.open(url)
    raise ValueError(f"unknown kind of gallery: {url.split(':')[0]}")
