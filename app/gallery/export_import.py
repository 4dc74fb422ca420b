"""Galleries as lines of JSON: for backups, and to move templates to another store. Checks a store's contents too."""

import base64
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.errors import UnknownGallery, UnknownIdentity
from app.gallery.base import Gallery, Template, TemplateRecord
from app.gallery.rejection import Rejection, RejectionRecord
from app.json_text import InvalidJson, check_metadata, parse_json
from app.names import InvalidName, check_text, clean_gallery, clean_identity

Record = TypeVar("Record", TemplateRecord, RejectionRecord)

BATCH_SIZE: Final = 500  # records per read, and per transaction of an import


class InvalidRecord(ValueError):
    """A line is not an exported template. The message names the line, but none of its values."""


async def export_lines(gallery: Gallery, only: str | None = None) -> AsyncIterator[str]:
    """Yields one line per template of the store, or of the gallery `only`, then one line per rejection.

    What is stored during the export may or may not be included.
    """
    async for record in _all_records(gallery):
        if only is None or record.gallery == only:
            yield format_record(record)
    async for rejection in _all_rejections(gallery):
        if only is None or rejection.gallery == only:
            yield format_rejection(rejection)


@dataclass(frozen=True)
class ImportResult:
    """What an import did. `refused` has a sentence for each line that cannot be stored."""

    new: int
    total: int
    refused: tuple[str, ...]


async def import_lines(gallery: Gallery, lines: Iterable[str]) -> ImportResult:
    """Adds the templates and rejections that are not in the store yet. Lines that cannot be stored are refused.

    Raises EncoderMismatch. Batches before the faulty one are kept; importing again adds nothing twice.
    """
    new = total = 0
    refused: list[str] = []
    numbered = enumerate(lines, start=1)
    while some := list(islice(numbered, BATCH_SIZE)):
        batch: list[TemplateRecord] = []
        rejections: list[tuple[int, RejectionRecord]] = []
        for number, line in some:
            try:
                record = parse_record(line, number)
            except InvalidRecord as error:
                refused.append(str(error))
                continue
            if isinstance(record, TemplateRecord):
                batch.append(record)
            else:
                rejections.append((number, record))
        new += await gallery.import_records(batch)
        new += await _import_rejections(gallery, rejections, refused)
        total += len(some)
    return ImportResult(new, total, tuple(refused))


async def _import_rejections(
    gallery: Gallery, numbered: Sequence[tuple[int, RejectionRecord]], refused: list[str]
) -> int:
    try:
        return await gallery.import_rejections([record for _, record in numbered])
    except (UnknownGallery, UnknownIdentity):
        pass  # nothing was stored: find out which ones belong to nobody
    new = 0
    for number, record in numbered:
        try:
            new += await gallery.import_rejections([record])
        except (UnknownGallery, UnknownIdentity):
            refused.append(f"Line {number} is a rejection of an identity that is not in the store.")
    return new


async def find_integrity_errors(gallery: Gallery) -> list[str]:
    """Reads the whole store and returns a sentence for each error. No sentence contains the name of a person."""
    errors = list(await gallery.integrity_errors())
    errors += [
        f"The gallery {each.gallery!r} holds templates of {len(each.encoder_ids)} encoders, which cannot be compared."
        for each in await gallery.list_galleries()
        if len(each.encoder_ids) > 1
    ]
    dimensions: dict[str, set[int]] = {}
    async for record in _all_records(gallery):
        dimensions.setdefault(record.template.encoder_id, set()).add(len(record.vector))
        if not _is_unit(record.vector):
            errors.append(f"The vector of template {record.template.template_id} does not have length 1.")
    async for rejection in _all_rejections(gallery):
        if not _is_unit(rejection.vector):
            errors.append(f"The vector of rejection {rejection.rejection.rejection_id} does not have length 1.")
    errors += [
        f"The vectors of encoder {encoder} have different dimensions: {', '.join(map(str, sorted(found)))}."
        for encoder, found in dimensions.items()
        if len(found) > 1
    ]
    return errors


def format_record(record: TemplateRecord) -> str:
    """Formats a record as JSON: vectors as base64 of little-endian float32, times as ISO 8601 in UTC."""
    expires_at = record.template.expires_at
    times = {
        "created_at": record.template.created_at.isoformat(),
        "expires_at": None if expires_at is None else expires_at.isoformat(),
    }
    return json.dumps(
        {
            "gallery": record.gallery,
            "identity": record.identity,
            "metadata": dict(record.metadata),
            "enrolled_at": record.enrolled_at.isoformat(),
            **asdict(record.template),
            **times,
            "vector": _format_vector(record.vector),
        },
        ensure_ascii=False,
    )


def format_rejection(record: RejectionRecord) -> str:
    """Formats a rejection like a template. Its id distinguishes the two."""
    return json.dumps(
        {
            "gallery": record.gallery,
            "identity": record.identity,
            **asdict(record.rejection),
            "created_at": record.rejection.created_at.isoformat(),
            "vector": _format_vector(record.vector),
        },
        ensure_ascii=False,
    )


def parse_record(line: str, number: int) -> TemplateRecord | RejectionRecord:
    """Parses a line of an export. Raises InvalidRecord."""
    if not _is_utf8(line):
        raise InvalidRecord(f"Line {number} is not UTF-8 text.")
    try:
        fields = parse_json(line)
        names = clean_gallery(fields["gallery"]), clean_identity(fields["identity"])
        vector = np.frombuffer(base64.b64decode(fields["vector"], validate=True), "<f4")
        created = datetime.fromisoformat(fields["created_at"])
        if "rejection_id" in fields:
            ids = check_text(fields["rejection_id"]), check_text(fields["encoder_id"])
            return _check_vector(RejectionRecord(*names, Rejection(*ids, created), vector), number)
        text = {name: check_text(fields[name]) for name in ("template_id", "encoder_id", "detector")}
        expires = fields.get("expires_at")  # older exports have neither
        consent = fields.get("consent_ref")
        template = Template(
            **text,
            quality=float(fields["quality"]),
            created_at=created,
            expires_at=None if expires is None else datetime.fromisoformat(expires).astimezone(UTC),
            consent_ref=None if consent is None else check_text(consent),
        )
        enrolled = datetime.fromisoformat(fields["enrolled_at"])
        if not isinstance(fields["metadata"], dict):
            raise InvalidJson("has metadata that is not a JSON object")
        record = TemplateRecord(*names, check_metadata(fields["metadata"]), enrolled, template, vector)
        return _check_vector(record, number)
    except InvalidRecord:
        raise
    except KeyError as error:
        raise InvalidRecord(f"Line {number} has no field {error}.") from error
    except InvalidName as error:
        raise InvalidRecord(f"Line {number} has a name that {error}.") from error
    except InvalidJson as error:
        raise InvalidRecord(f"Line {number} is not a template that can be stored: it {error}.") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidRecord(f"Line {number} is not a template written by `facetwin gallery export`.") from error


async def _all_records(gallery: Gallery) -> AsyncIterator[TemplateRecord]:
    after: TemplateRecord | None = None
    before: set[str] = set()  # template ids of the page before
    # A name that is not UTF-8 is read as another one, which sorts elsewhere: its page can come twice, even for ever.
    while records := [
        each for each in await gallery.list_records(after, BATCH_SIZE) if each.template.template_id not in before
    ]:
        for record in records:
            yield record
        after = records[-1]
        before = {each.template.template_id for each in records}


async def _all_rejections(gallery: Gallery) -> AsyncIterator[RejectionRecord]:
    after: RejectionRecord | None = None
    while records := await gallery.list_rejection_records(after, BATCH_SIZE):
        for record in records:
            yield record
        after = records[-1]


def _format_vector(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _check_vector(record: Record, number: int) -> Record:
    if not _is_unit(record.vector):
        raise InvalidRecord(f"The vector in line {number} does not have length 1.")
    return record


def _is_unit(vector: NDArray[np.float32]) -> bool:
    return bool(np.isclose(np.linalg.norm(vector), 1.0, atol=1e-3))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
