"""Where templates are kept."""

from pathlib import Path

from app.gallery.base import Gallery
from app.gallery.sqlite import SqliteGallery


async def open_gallery(url: str) -> Gallery:
    """The gallery that `url` names: sqlite:///PATH. Raises GalleryError where it cannot be opened, ValueError on
    another kind of URL."""
    path = url.removeprefix("sqlite:///")
    if path == url:
        raise ValueError(f"unknown kind of gallery: {url.split(':')[0]}")
    return await SqliteGallery.open(Path(path))
