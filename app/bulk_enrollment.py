"""Enrolls the photos of a folder or archive through a running service. An interrupted run can be resumed."""

import json
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TextIO

from app.names import InvalidName, clean_identity
from app.photo_files import ARCHIVE_ERRORS, BulkEnrollmentError, PhotoFile, printable
from facetwin_client import ApiError, Facetwin, Retries

# For the service's client: a photo is sent so often while the service is overloaded or its gallery cannot be used.
PATIENCE: Final = Retries(attempts=8, longest_wait_s=60.0, statuses=frozenset({429, 503, 504}))
MAX_FAILURES: Final = 10  # photos in a row for which the service failed; then the service is at fault, and the run ends
# Statuses that are about one photo or name: it is rejected and the run continues. Others end the run.
PHOTO_PROBLEMS: Final = (400, 413, 415, 422)
REPORT_START: Final = b'{"photo": '


class Status(StrEnum):
    """What happened to a photo. The values appear in reports."""

    ENROLLED = "enrolled"
    DUPLICATE = "duplicate"  # a photo with the same bytes was enrolled before
    REJECTED = "rejected"
    FAILED = "failed"  # the service or the disk failed; the next run tries the photo again
    DONE = "done before"  # by an earlier run; never written to the report


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


def enroll_photos(
    service: Facetwin, photos: Sequence[PhotoFile], report: Path, gallery: str, min_quality: float, concurrency: int
) -> Generator[Outcome, None, None]:
    """Sends the photos that `report` does not list yet, `concurrency` at a time, and appends one line for each.

    Yields the outcome of every photo, in order. A photo or name that cannot be used is reported, and the run continues.
    Raises ApiError if the service is unreachable, refuses all photos or fails for many in a row; photos answered until
    then are in the report. Raises BulkEnrollmentError if the report is unusable.
    """
    earlier = [each for each in _read_report(report) if each.gallery == gallery and each.status is not Status.FAILED]
    done = {(each.photo, each.digest) for each in earlier}
    first = {each.digest: each for each in reversed(earlier)}  # the first photo with these bytes
    options = {"gallery": gallery, "if_exists": "add", "min_quality": min_quality}
    failures = 0  # in a row
    with _open_report(report) as lines, ThreadPoolExecutor(concurrency) as pool:
        for start in range(0, len(photos), concurrency):
            pending: list[Outcome | Future[Outcome]] = []
            for photo in photos[start : start + concurrency]:
                outcome, content = _prepare(photo, gallery)
                if outcome.status is not Status.ENROLLED:
                    known = (outcome.photo, outcome.digest) in done and outcome.status is Status.REJECTED
                    pending.append(replace(outcome, status=Status.DONE) if known else outcome)
                elif (photo.path, outcome.digest) in done:
                    pending.append(replace(outcome, status=Status.DONE))
                elif outcome.digest in first:
                    pending.append(_duplicate(outcome, first[outcome.digest]))
                else:
                    first[outcome.digest] = outcome
                    pending.append(pool.submit(_enroll, service, outcome, content, options))
            failure: ApiError | None = None
            for each in pending:
                try:
                    result = each.result() if isinstance(each, Future) else each
                except ServiceFailed as error:
                    failures += 1
                    failure = failure or (error.cause if failures >= MAX_FAILURES else None)
                    result = error.outcome
                except ApiError as error:
                    failure = failure or error
                    continue
                else:
                    failures = 0 if isinstance(each, Future) else failures
                if result.status is not Status.DONE:
                    lines.write(_format_outcome(result))
                    lines.flush()
                yield result
            if failure is not None:
                raise failure


class ServiceFailed(Exception):
    """The service failed for one photo."""

    def __init__(self, outcome: Outcome, cause: ApiError) -> None:
        self.outcome, self.cause = outcome, cause
        super().__init__(str(cause))


def _prepare(photo: PhotoFile, gallery: str) -> tuple[Outcome, bytes]:
    """Reads a photo and checks its person's name. The outcome is `enrolled` if both can be sent."""
    outcome = Outcome(photo.path, gallery, photo.identity, "", Status.ENROLLED)
    try:
        content = photo.read()
    except ARCHIVE_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return replace(outcome, status=Status.FAILED, detail=printable(f"cannot be read: {reason}")), b""
    outcome = replace(outcome, digest=sha256(content).hexdigest())
    if not photo.identity:
        return replace(outcome, status=Status.REJECTED, detail="is not in a folder named after a person"), content
    try:
        return replace(outcome, identity=clean_identity(photo.identity)), content
    except InvalidName as error:
        return replace(outcome, status=Status.REJECTED, detail=f"the name of its folder {error}"), content


def _format_outcome(outcome: Outcome) -> str:
    # Names of files that are no text are escaped. JSON's escapes can say them, UTF-8 cannot.
    line = json.dumps(asdict(outcome), ensure_ascii=False)
    return (line if printable(line) == line else json.dumps(asdict(outcome))) + "\n"


def _duplicate(outcome: Outcome, earlier: Outcome) -> Outcome:
    """Reports a photo whose bytes were already enrolled."""
    detail = f"is the same file as {earlier.photo}"
    if earlier.identity != outcome.identity:
        detail += ", under another name; it was not enrolled again"
    return replace(outcome, status=Status.DUPLICATE, detail=detail)


def _enroll(service: Facetwin, outcome: Outcome, content: bytes, options: dict[str, Any]) -> Outcome:
    # The key depends only on gallery, person and photo, so a resumed run enrolls nobody twice.
    key = sha256(f"{options['gallery']}/{outcome.identity}/{outcome.digest}".encode()).hexdigest()
    try:
        answer = service.enroll(outcome.identity, content, key=key, **options)
    except ApiError as error:
        if error.code == "idempotency_key_reused":  # an earlier run enrolled it with other options
            return replace(outcome, status=Status.DONE)
        if error.status >= 500 or error.status == 408:  # 408: the photo did not arrive in time
            failed = replace(outcome, status=Status.FAILED, detail=str(error))
            raise ServiceFailed(failed, error) from error
        if error.status not in PHOTO_PROBLEMS:
            raise
        return replace(outcome, status=Status.REJECTED, detail=str(error))
    warnings = tuple(f"{each.code}: {each.message}" for each in answer.warnings)
    return replace(outcome, template_id=answer.template_id, warnings=warnings)


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
