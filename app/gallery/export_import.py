"""Galleries as lines of JSON: for backups, and to move templates to another store. Checks a store's contents too."""

import base64
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.gallery.base import Gallery, Template, TemplateRecord

BATCH_SIZE: Final = 500  # records per read, and per transaction of an import


class InvalidRecord(ValueError):
    """A line is not an exported template. The message names the line, but none of its values."""


async def export_lines(gallery: Gallery, only: str | None = None) -> AsyncIterator[str]:
    """Yields one line per template of the store, or of the gallery `only`.

    Templates enrolled during the export may or may not be included.
    """
    async for record in _all_records(gallery):
        if only is None or record.gallery == only:
            yield format_record(record)


async def import_lines(gallery: Gallery, lines: Iterable[str]) -> tuple[int, int]:
    """Adds the templates that are not in the store yet. Returns the numbers of new and of all templates.

    Raises InvalidRecord, EncoderMismatch. Batches before the faulty one are kept; importing again adds nothing twice.
    """
    new = total = 0
    numbered = enumerate(lines, start=1)
    while batch := [parse_record(line, number) for number, line in islice(numbered, BATCH_SIZE)]:
        new += await gallery.import_records(batch)
        total += len(batch)
    return new, total


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
    errors += [
        f"The vectors of encoder {encoder} have different dimensions: {', '.join(map(str, sorted(found)))}."
        for encoder, found in dimensions.items()
        if len(found) > 1
    ]
    return errors


def format_record(record: TemplateRecord) -> str:
    """Formats a record as JSON: vectors as base64 of little-endian float32, times as ISO 8601 in UTC."""
    template = {**asdict(record.template), "created_at": record.template.created_at.isoformat()}
    return json.dumps(
        {
            "gallery": record.gallery,
            "identity": record.identity,
            "metadata": dict(record.metadata),
            "enrolled_at": record.enrolled_at.isoformat(),
            **template,
            "vector": base64.b64encode(record.vector.astype("<f4").tobytes()).decode(),
        },
        ensure_ascii=False,
    )


def parse_record(line: str, number: int) -> TemplateRecord:
    """Parses a line of an export. Raises InvalidRecord."""
    try:
        fields: dict[str, Any] = json.loads(line)
        created = datetime.fromisoformat(fields["created_at"])
        template = Template(fields["template_id"], fields["encoder_id"], fields["detector"], fields["quality"], created)
        vector = np.frombuffer(base64.b64decode(fields["vector"], validate=True), "<f4")
        enrolled = datetime.fromisoformat(fields["enrolled_at"])
        record = TemplateRecord(fields["gallery"], fields["identity"], fields["metadata"], enrolled, template, vector)
    except KeyError as error:
        raise InvalidRecord(f"Line {number} has no field {error}.") from error
    except (ValueError, TypeError) as error:
        raise InvalidRecord(f"Line {number} is not a template written by `facetwin gallery export`.") from error
    if not _is_unit(vector):
        raise InvalidRecord(f"The vector in line {number} does not have length 1.")
    return record


async def _all_records(gallery: Gallery) -> AsyncIterator[TemplateRecord]:
    after: TemplateRecord | None = None
    while records := await gallery.list_records(after, BATCH_SIZE):
        for record in records:
            yield record
        after = records[-1]


def _is_unit(vector: NDArray[np.float32]) -> bool:
    return bool(np.isclose(np.linalg.norm(vector), 1.0, atol=1e-3))
