"""A gallery as lines of JSON: to move it to another store, or to keep a copy."""

import base64
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.gallery.base import Gallery, Record, Template

AT_ONCE: Final = 500  # records of a transaction


class NotARecord(ValueError):
    """A line that is none."""


async def export_lines(gallery: Gallery, only: str | None = None) -> AsyncIterator[str]:
    """Every template of the store, or of the gallery named, a line each. What is enrolled meanwhile may be among
    them."""
    after: Record | None = None
    while records := await gallery.records(after, AT_ONCE):
        for record in records:
            if only is None or record.gallery == only:
                yield to_line(record)
        after = records[-1]


async def import_lines(gallery: Gallery, lines: Iterable[str]) -> tuple[int, int]:
    """How many templates were new, and how many there were. Raises NotARecord, EncoderMismatch; the lines before are
    kept, and doing it again adds nothing twice."""
    new = every = 0
    numbered = enumerate(lines, start=1)
    while batch := [from_line(line, number) for number, line in islice(numbered, AT_ONCE)]:
        new += await gallery.restore(batch)
        every += len(batch)
    return new, every


async def problems_of(gallery: Gallery) -> list[str]:
    """What is wrong with a store, in words, without names of people."""
    problems = list(await gallery.flaws())
    problems += [
        f"The gallery {each.gallery!r} holds templates of {len(each.encoder_ids)} encoders, which cannot be compared."
        for each in await gallery.galleries()
        if len(each.encoder_ids) > 1
    ]
    after: Record | None = None
    lengths: dict[str, set[int]] = {}
    while records := await gallery.records(after, AT_ONCE):
        for record in records:
            lengths.setdefault(record.template.encoder_id, set()).add(len(record.vector))
            if not _is_unit(record.vector):
                problems.append(f"The vector of template {record.template.template_id} has not the length 1.")
        after = records[-1]
    problems += [
        f"Vectors of encoder {encoder} have {' and '.join(map(str, sorted(found)))} numbers."
        for encoder, found in lengths.items()
        if len(found) > 1
    ]
    return problems


def to_line(record: Record) -> str:
    """The vector is base64 of little-endian 32-bit numbers, the times are ISO 8601 in UTC."""
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


def from_line(line: str, number: int) -> Record:
    """Raises NotARecord naming the line and what is wrong with it, never its values."""
    try:
        read: dict[str, Any] = json.loads(line)
        created = datetime.fromisoformat(read["created_at"])
        template = Template(read["template_id"], read["encoder_id"], read["detector"], read["quality"], created)
        vector = np.frombuffer(base64.b64decode(read["vector"], validate=True), "<f4")
        enrolled = datetime.fromisoformat(read["enrolled_at"])
        record = Record(read["gallery"], read["identity"], read["metadata"], enrolled, template, vector)
    except KeyError as error:
        raise NotARecord(f"Line {number} has no field {error}.") from error
    except (ValueError, TypeError) as error:
        raise NotARecord(f"Line {number} is no template as `facetwin gallery export` writes it.") from error
    if not _is_unit(vector):
        raise NotARecord(f"The vector of line {number} has not the length 1.")
    return record


def _is_unit(vector: NDArray[np.float32]) -> bool:
    return bool(np.isclose(np.linalg.norm(vector), 1.0, atol=1e-3))
