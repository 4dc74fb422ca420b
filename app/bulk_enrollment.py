"""Enrolls the photos of a folder or archive through a running service. An interrupted run can be resumed."""

import json
import lzma
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Final, TextIO

from app.client import ApiError, Facetwin
from app.names import InvalidName, clean_identity

MAX_ATTEMPTS: Final = 8  # per photo, while the service answers 429
# Problems of one photo or name: the photo is rejected and the run continues. Any other problem ends the run.
PHOTO_PROBLEMS: Final = (
    "malformed_request",
    "empty_image",
    "corrupt_image",
    "image_too_large",
    "unsupported_image",
    "photo_too_expensive",
    "no_face_found",
    "several_faces",
    "low_quality",
)
REPORT_START: Final = b'{"photo": '
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


class UnreadablePhoto(Exception):
    """One file of a folder or archive cannot be read. The message says why."""


class Status(StrEnum):
    """What happened to a photo. The values appear in reports."""

    ENROLLED = "enrolled"
    DUPLICATE = "duplicate"  # a photo with the same bytes was enrolled before
    REJECTED = "rejected"
    DONE = "done before"  # by an earlier run; never written to the report


@dataclass(frozen=True)
class PhotoFile:
    """One file in a folder or archive."""

    path: str  # relative to the folder or archive
    identity: str  # the first folder in its path; empty for a file at the top level
    read: Callable[[], bytes]  # raises UnreadablePhoto


@dataclass(frozen=True)
class Outcome:
    """What happened to a photo: one line of the report. It contains names, but no photos and no vectors."""

    photo: str
    gallery: str
    identity: str
    digest: str  # SHA-256 of the file, in hex
    status: Status
    detail: str = ""
    template_id: str = ""
    warnings: tuple[str, ...] = ()


@contextmanager
def open_photos(path: Path) -> Iterator[list[PhotoFile]]:
    """Lists the files of a folder, .zip or .tar by path, without hidden ones.

    An archive may have one folder around everything, as archivers make it; that one is no person.

    Raises BulkEnrollmentError if `path` is neither a folder nor a readable archive.
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
        wrapper = 0 if path.is_dir() else _wrapper_depth(files)
        visible = sorted(name for name in files if not _is_hidden(PurePosixPath(name)))
        yield [PhotoFile(name, _first_folder(name, wrapper), partial(_read, files[name])) for name in visible]


def enroll_photos(
    service: Facetwin, photos: Sequence[PhotoFile], report: Path, gallery: str, min_quality: float, concurrency: int
) -> Generator[Outcome, None, None]:
    """Sends the photos that `report` does not list yet, `concurrency` at a time, and appends one line for each.

    Yields the outcome of every photo, in order. Raises ApiError if the service is unreachable or refuses all photos;
    photos answered until then are in the report. Raises BulkEnrollmentError if the report is unusable. A bad name and
    an unreadable photo are outcomes, and the run goes on.
    """
    earlier = [each for each in _read_report(report) if each.gallery == gallery]
    done = {(each.photo, each.digest) for each in earlier}
    first = {each.digest: each for each in reversed(earlier)}  # the first photo with these bytes
    options = {"gallery": gallery, "if_exists": "add", "min_quality": min_quality}
    with _open_report(report) as lines, ThreadPoolExecutor(concurrency) as pool:
        for start in range(0, len(photos), concurrency):
            pending: list[Outcome | Future[Outcome]] = []
            for photo in photos[start : start + concurrency]:
                outcome, content = _examine(photo, gallery)
                digest = outcome.digest
                if (photo.path, digest) in done:
                    pending.append(replace(outcome, status=Status.DONE))
                elif outcome.status is Status.REJECTED:
                    pending.append(outcome)
                elif digest in first:
                    pending.append(_duplicate(outcome, first[digest]))
                else:
                    first[digest] = outcome
                    pending.append(pool.submit(_enroll, service, outcome, content, options))
            failure: ApiError | None = None
            for each in pending:
                try:
                    result = each.result() if isinstance(each, Future) else each
                except ApiError as error:
                    failure = failure or error
                    continue
                if result.status is not Status.DONE:
                    lines.write(_format_outcome(result) + "\n")
                    lines.flush()
                yield result
            if failure is not None:
                raise failure


def _examine(photo: PhotoFile, gallery: str) -> tuple[Outcome, bytes]:
    """Reads a photo. The outcome is REJECTED if it cannot be read or has no usable name, otherwise still open."""
    outcome = Outcome(photo.path, gallery, photo.identity, "", Status.REJECTED)
    try:
        content = photo.read()
    except UnreadablePhoto as error:
        return replace(outcome, detail=f"cannot be read: {error}"), b""
    outcome = replace(outcome, digest=sha256(content).hexdigest())
    if not photo.identity:
        return replace(outcome, detail="is not in a folder named after a person"), content
    try:
        identity = clean_identity(photo.identity)
    except InvalidName as error:
        return replace(outcome, detail=f"the name of its folder {error}"), content
    return replace(outcome, identity=identity, status=Status.ENROLLED), content


def _duplicate(outcome: Outcome, earlier: Outcome) -> Outcome:
    """Reports a photo whose bytes were already enrolled."""
    detail = f"is the same file as {earlier.photo}"
    if earlier.identity != outcome.identity:
        detail += ", under another name; it was not enrolled again"
    return replace(outcome, status=Status.DUPLICATE, detail=detail)


def _enroll(service: Facetwin, outcome: Outcome, content: bytes, options: dict[str, Any]) -> Outcome:
    # The key depends only on gallery, person and photo, so a resumed run enrolls nobody twice.
    key = sha256(f"{options['gallery']}/{outcome.identity}/{outcome.digest}".encode()).hexdigest()
    for attempts_left in reversed(range(MAX_ATTEMPTS)):
        try:
            answer = service.enroll(outcome.identity, content, key=key, **options)
        except ApiError as error:
            if error.status == 429 and attempts_left:
                time.sleep(error.retry_after or 1.0)
                continue
            if error.code == "idempotency_key_reused":  # an earlier run enrolled it with other options
                return replace(outcome, status=Status.DONE)
            if error.code not in PHOTO_PROBLEMS:
                raise
            return replace(outcome, status=Status.REJECTED, detail=str(error))
        warnings = tuple(f"{each['code']}: {each['message']}" for each in answer["warnings"])
        return replace(outcome, template_id=answer["template_id"], warnings=warnings)
    raise AssertionError("the last attempt returns or raises")


def _read_report(report: Path) -> list[Outcome]:
    """Reads the outcomes of earlier runs. Removes a last line that was cut off when a run was killed."""
    if not report.exists():
        return []
    try:
        content = report.read_bytes()
        complete = content[: content.rfind(b"\n") + 1]
        outcomes = [_parse_outcome(line) for line in complete.decode().split("\n") if line]
        if complete != content:
            if not outcomes and content[: len(REPORT_START)] != REPORT_START[: len(content)]:
                raise ValueError("not a line of a report")  # so it is another file: do not truncate it
            report.write_bytes(complete)
    except OSError as error:
        raise BulkEnrollmentError(f"The report {report} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BulkEnrollmentError(f"{report} is not the report of an earlier run. Name another file.") from error
    return outcomes


def _format_outcome(outcome: Outcome) -> str:
    """Formats a line of the report. A file's name that is not UTF-8 is written with escapes."""
    line = json.dumps(asdict(outcome), ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        line = json.dumps(asdict(outcome))
    return line


def _parse_outcome(line: str) -> Outcome:
    fields = json.loads(line)
    return Outcome(**{**fields, "status": Status(fields["status"]), "warnings": ()})


@contextmanager
def _open_report(report: Path) -> Iterator[TextIO]:
    try:
        lines = report.open("a", encoding="utf-8")
    except OSError as error:
        raise BulkEnrollmentError(f"The report {report} cannot be written: {error.strerror}.") from error
    with lines:
        yield lines


def _wrapper_depth(names: Iterable[str]) -> int:
    """Returns 1 if one folder is around everything in an archive, otherwise 0."""
    paths = [path for path in map(PurePosixPath, names) if not _is_hidden(path)]
    return int(len({path.parts[0] for path in paths}) == 1 and any(len(path.parts) > 2 for path in paths))


def _first_folder(name: str, skipped: int) -> str:
    folders = PurePosixPath(name).parts[skipped:-1]
    return folders[0] if folders else ""


def _read(read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except ARCHIVE_ERRORS as error:
        raise UnreadablePhoto(type(error).__name__) from error


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)
