"""Everybody of a folder or archive, enrolled through a running service; stopped anywhere, a second run goes on."""

import json
import tarfile
import time
import zipfile
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Final

from app.client import ApiError, Facetwin

ENROLLED, DUPLICATE, REJECTED, DONE = "enrolled", "duplicate", "rejected", "done before"
STATUSES: Final = (ENROLLED, DUPLICATE, REJECTED, DONE)
TRIES: Final = 8  # of a photo, where the service is at its limit
# What is wrong with one photo or name; everything else ends the run, which can then go on where it stopped.
REFUSALS: Final = (
    "malformed_request",
    "empty_image",
    "corrupt_image",
    "image_too_large",
    "unsupported_image",
    "no_face_found",
    "several_faces",
    "low_quality",
)


class BatchError(Exception):
    """The folder, archive or report cannot be used."""


@dataclass(frozen=True)
class PhotoFile:
    """One file of a folder or archive; `identity` is its folder's name, empty where it lies in none."""

    place: str  # inside the folder or archive
    identity: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Outcome:
    """What became of a photo: a line of the report, which names people but holds no photo and no vector."""

    photo: str
    gallery: str
    identity: str
    digest: str  # SHA-256 of the file, in hex
    status: str
    detail: str = ""
    template_id: str = ""
    warnings: tuple[str, ...] = ()


@contextmanager
def opened_photos(path: Path) -> Iterator[list[PhotoFile]]:
    """By place; hidden files are passed over. Raises BatchError where `path` is no folder and no archive."""
    with ExitStack() as stack:
        if path.is_dir():
            files = {file.relative_to(path).as_posix(): file.read_bytes for file in path.rglob("*") if file.is_file()}
        elif zipfile.is_zipfile(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
            files = {each.filename: partial(archive.read, each) for each in archive.infolist() if not each.is_dir()}
        elif tarfile.is_tarfile(path):
            packed = stack.enter_context(tarfile.open(path))
            files = {each.name: partial(_extract, packed, each) for each in packed.getmembers() if each.isfile()}
        else:
            raise BatchError(f"{path} is no folder and no .zip or .tar archive of NAME/photo.jpg.")
        shown = sorted(name for name in files if not _is_hidden(PurePosixPath(name)))
        yield [PhotoFile(name, PurePosixPath(name).parent.name, files[name]) for name in shown]


def enroll_photos(
    service: Facetwin, photos: Sequence[PhotoFile], report: Path, gallery: str, min_quality: float, at_once: int
) -> Generator[Outcome, None, None]:
    """Sends what `report` does not know yet, `at_once` at a time, and adds a line for each. Raises ApiError where the
    service is gone or refuses everything: what has been answered by then is in the report. Raises BatchError."""
    earlier = [each for each in _read_report(report) if each.gallery == gallery]
    done = {(each.photo, each.digest) for each in earlier}
    first = {each.digest: each for each in reversed(earlier)}  # of each content
    options = {"gallery": gallery, "if_exists": "add", "min_quality": min_quality}
    with report.open("a", encoding="utf-8") as lines, ThreadPoolExecutor(at_once) as pool:
        for start in range(0, len(photos), at_once):
            waiting: list[Outcome | Future[Outcome]] = []
            for photo in photos[start : start + at_once]:
                content = photo.read()
                digest = sha256(content).hexdigest()
                outcome = Outcome(photo.place, gallery, photo.identity, digest, ENROLLED)
                if (photo.place, digest) in done:
                    waiting.append(replace(outcome, status=DONE))
                elif not photo.identity:
                    waiting.append(replace(outcome, status=REJECTED, detail="lies in no folder that names a person"))
                elif digest in first:
                    waiting.append(_again(outcome, first[digest]))
                else:
                    first[digest] = outcome
                    waiting.append(pool.submit(_enroll, service, outcome, content, options))
            broken: Exception | None = None
            for each in waiting:
                try:
                    told = each.result() if isinstance(each, Future) else each
                except ApiError as error:
                    broken = broken or error
                    continue
                if told.status != DONE:
                    lines.write(json.dumps(asdict(told), ensure_ascii=False) + "\n")
                    lines.flush()
                yield told
            if broken is not None:
                raise broken


def _again(outcome: Outcome, before: Outcome) -> Outcome:
    """Of a file whose content has been met elsewhere."""
    detail = f"is the same file as {before.photo}"
    if before.identity != outcome.identity:
        detail += ", under another name; it was not enrolled again"
    return replace(outcome, status=DUPLICATE, detail=detail)


def _enroll(service: Facetwin, outcome: Outcome, content: bytes, options: dict[str, Any]) -> Outcome:
    # The same for the same photo of the same person: a run that was cut off enrolls nobody twice.
    key = sha256(f"{options['gallery']}/{outcome.identity}/{outcome.digest}".encode()).hexdigest()
    for left in reversed(range(TRIES)):
        try:
            answer = service.enroll(outcome.identity, content, key=key, **options)
        except ApiError as error:
            if error.status == 429 and left:
                time.sleep(error.retry_after or 1.0)
                continue
            if error.code == "idempotency_key_reused":  # by an earlier run with other options
                return replace(outcome, status=DONE)
            if error.code not in REFUSALS:
                raise
            return replace(outcome, status=REJECTED, detail=str(error))
        warnings = tuple(f"{each['code']}: {each['message']}" for each in answer["warnings"])
        return replace(outcome, template_id=answer["template_id"], warnings=warnings)
    raise AssertionError("the last try returns or raises")


def _read_report(report: Path) -> list[Outcome]:
    if not report.exists():
        return []
    text = report.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:  # a line that was being written when the run was killed
        report.write_text(whole, encoding="utf-8")
    try:
        lines = whole.splitlines()
        return [Outcome(**{**json.loads(line), "warnings": ()}) for line in lines]
    except (ValueError, TypeError) as error:
        raise BatchError(f"{report} is no report of an earlier run. Name another file, or remove it.") from error


def _is_hidden(place: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in place.parts)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""
