"""Photos of people: files named PERSON/photo.jpg, in a folder or in an uncompressed tar."""

import hashlib
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from training.data.errors import DataError

IMAGE_SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic"}


@dataclass(frozen=True)
class Photo:
    """A photo by name, PERSON/file, and where its bytes are: `size` bytes of `file` from `offset` on (-1: all)."""

    name: str
    file: Path
    offset: int = 0
    size: int = -1

    @property
    def person(self) -> str:
        return self.name.split("/")[0]

    def read(self) -> bytes:
        """The encoded bytes. Raises DataError if the file is gone, cannot be read or is too short."""
        try:
            with self.file.open("rb") as stream:
                stream.seek(self.offset)
                content = stream.read(self.size)
        except OSError as error:
            raise DataError(f"{self.file} cannot be read: {error.strerror}.") from error
        if len(content) < self.size:
            raise DataError(f"{self.file} ends inside {self.name}. Copy the archive again.")
        return content


def find_photos(source: Path) -> list[Photo]:
    """Every photo in a folder of PERSON/photo.jpg, or in an uncompressed tar of one, sorted by name.

    A folder without subfolders holds one photo of each person: its photos are named STEM/photo.jpg. Raises DataError if
    `source` does not exist, is a compressed or damaged tar, or holds no photos.
    """
    if source.is_dir():
        files = [path for path in source.glob("*/*") if path.suffix.lower() in IMAGE_SUFFIXES]
        photos = [Photo(f"{path.parent.name}/{path.name}", path) for path in files]
        if not photos:
            files = [path for path in source.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES]
            photos = [Photo(f"{path.stem}/{path.name}", path) for path in files]
    elif source.is_file():
        photos = _list_tar(source)
    else:
        raise DataError(f"{source} does not exist.")
    if not photos:
        raise DataError(f"{source} holds no photos of the form NAME/photo.jpg.")
    return sorted(photos, key=lambda photo: photo.name)


def find_prefixed_photos(folder: Path) -> list[Photo]:
    """`find_photos`, with `FOLDER:` before each name, so that people of several folders stay apart."""
    return [replace(photo, name=f"{folder.name}:{photo.name}") for photo in find_photos(folder)]


def hash_photos(photos: Sequence[Photo]) -> str:
    """SHA-256, in hex, of the names and bytes of these photos: it changes if a photo is replaced, added or renamed.

    Reads every photo: about a second for LFW's 180 MB. Raises DataError if one cannot be read.
    """
    total = hashlib.sha256()
    with ThreadPoolExecutor() as pool:  # in chunks, so that only a few photos wait in memory
        for start in range(0, len(photos), 256):
            chunk = photos[start : start + 256]
            for photo, digest in zip(chunk, pool.map(_hash_content, chunk), strict=True):
                total.update(f"{photo.name}\n".encode() + digest)
    return total.hexdigest()


def _hash_content(photo: Photo) -> bytes:
    return hashlib.sha256(photo.read()).digest()


def _list_tar(source: Path) -> list[Photo]:
    try:
        with tarfile.open(source, "r:") as archive:
            return [
                Photo("/".join(Path(member.name).parts[-2:]), source, member.offset_data, member.size)
                for member in archive
                if member.isfile() and Path(member.name).suffix.lower() in IMAGE_SUFFIXES
            ]
    except (tarfile.TarError, OSError) as error:
        raise DataError(
            f"{source} is not an uncompressed tar, or it is damaged. Extract it and name the folder."
        ) from error
