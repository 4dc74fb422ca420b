"""The store of FACETWIN_GALLERY_URL for commands that work on it without a service."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from app.cli.configuration import read_settings
from app.cli.output import fail, fail_on

if TYPE_CHECKING:
    from app.gallery.base import Store


@asynccontextmanager
async def open_store() -> "AsyncIterator[Store]":
    """Opens the store with its audit log, and closes it."""
    from app.gallery import open_gallery

    settings = read_settings()
    store = await open_gallery(
        settings.gallery_url, secret=settings.audit_secret, allow_unaudited=settings.allow_unaudited
    )
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turns the errors of a store and of files into a message and exit status 1."""
    from app.errors import FacetwinError
    from app.gallery.base import GalleryError
    from app.gallery.export_import import InvalidRecord
    from app.names import InvalidName

    with fail_on(FacetwinError, GalleryError, InvalidRecord, OSError, UnicodeDecodeError):
        try:
            yield
        except InvalidName as error:
            fail(f"The name {error}.")
