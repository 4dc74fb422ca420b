"""The photos of a folder or archive, one folder per person."""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

# What zipfile and tarfile raise on archives that are damaged, encrypted or compressed in an unknown way.
ARCHIVE_ERRORS: Final = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


class BulkEnrollmentError(Exception):
    """The folder, archive or report cannot be used."""


@dataclass(frozen=True)
class PhotoFile:
    """One file in a folder or archive."""

    path: str  # relative to the folder or archive
    identity: str  # name of the first folder; empty for a file at the top level
    read: Callable[[], bytes]  # raises one of ARCHIVE_ERRORS


@contextmanager
def open_photos(path: Path, strip: int | None = None) -> Iterator[list[PhotoFile]]:
    """Lists the files of a folder, .zip or .tar by path, without hidden ones.

    A file's person is the first folder after `strip` folders. Raises BulkEnrollmentError if `path` is neither a folder
    nor a readable archive, and without `strip` if a single folder holds all the others: is that a person?
    """
    files: dict[str, Callable[[], bytes]]
    with ExitStack() as stack:
        try:
            if path.is_dir():
                files = {
                    file.relative_to(path).as_posix(): file.read_bytes for file in path.rglob("*") if file.is_file()
                }
            elif zipfile.is_zipfile(path):
                archive = stack.enter_context(zipfile.ZipFile(path))
                files = {each.filename: partial(archive.read, each) for each in archive.infolist() if not each.is_dir()}
            elif tarfile.is_tarfile(path):
                tar = stack.enter_context(tarfile.open(path))
                files = {each.name: partial(_extract, tar, each) for each in tar.getmembers() if each.isfile()}
            else:
                raise BulkEnrollmentError(f"{path} is neither a folder nor a .zip or .tar archive of NAME/photo.jpg.")
        except ARCHIVE_ERRORS as error:
            raise BulkEnrollmentError(f"{path} cannot be read: {error}. Is it damaged?") from error
        visible = sorted(name for name in files if not _is_hidden(PurePosixPath(name)))
        folders = {name: PurePosixPath(name).parts[:-1] for name in visible}
        if strip is None and len({each[:1] for each in folders.values()}) == 1 and min(map(len, folders.values())) > 1:
            (outer,) = {each[0] for each in folders.values()}
            raise BulkEnrollmentError(
                f"All photos of {path} are in folders of the folder {printable(outer)!r}. Add --strip 1 if the folders "
                "in it are people, or --strip 0 if it is one person itself."
            )
        yield [PhotoFile(name, "".join(folders[name][strip or 0 :][:1]), files[name]) for name in visible]


def printable(text: str) -> str:
    """The text as UTF-8 can say it: names of files need not be text."""
    return text.encode("utf-8", "backslashreplace").decode()


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)
