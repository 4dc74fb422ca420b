"""Storage and search of templates."""

import asyncio
from pathlib import Path
from typing import Final

from app.gallery.audit import AuditSecret
from app.gallery.base import GalleryLimits, Store, StoreState

SQLITE_PREFIX: Final = "sqlite:///"
POSTGRES_PREFIX: Final = "postgresql://"


async def open_gallery(
    url: str,
    limits: GalleryLimits | None = None,
    secret: AuditSecret | None = None,
    *,
    allow_unaudited: bool = False,
) -> Store:
    """Opens sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE, and creates or migrates its tables.

    With a `secret`, what changes the store is recorded. Without one, a store that has an audit log is refused unless
    `allow_unaudited`. Raises GalleryError if the store cannot be opened, ValueError for any other kind of URL.
    """
    limits = limits or GalleryLimits()
    if url.startswith(SQLITE_PREFIX):
        from app.gallery.sqlite.gallery import SqliteGallery

        return await SqliteGallery.open(
            Path(url.removeprefix(SQLITE_PREFIX)), limits, secret, allow_unaudited=allow_unaudited
        )
    if url.startswith(POSTGRES_PREFIX):
        from app.gallery.postgres.gallery import PostgresGallery  # needs the extra `postgres`

        return await PostgresGallery.open(url, limits, secret, allow_unaudited=allow_unaudited)
    raise ValueError(f"Unknown kind of gallery: {url.split(':')[0]}. Use {SQLITE_PREFIX} or {POSTGRES_PREFIX}.")


async def inspect_gallery(url: str, limits: GalleryLimits | None = None) -> StoreState:
    """Looks at a store without creating or changing anything. Raises GalleryError if the service could not use it."""
    limits = limits or GalleryLimits()
    if url.startswith(SQLITE_PREFIX):
        from app.gallery.sqlite.inspection import inspect_file

        return await asyncio.to_thread(inspect_file, Path(url.removeprefix(SQLITE_PREFIX)), limits)
    from app.gallery.postgres.inspection import inspect_server  # needs the extra `postgres`

    return await inspect_server(url, limits)
