"""Rejections in the tables that SQLite and PostgreSQL share. Every connection must be inside a transaction."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, delete, insert, select, tuple_

from app.errors import TooManyRejections, UnknownRejection
from app.gallery.rejection import MAX_REJECTIONS, NewRejection, Rejection, RejectionRecord
from app.gallery.sql import reads
from app.gallery.sql.tables import rejections


@dataclass(frozen=True)
class AddResult:
    """A rejection, and whether it was added; if not, one with the same vector was there."""

    rejection: Rejection
    added: bool


def add_rejection(connection: Connection, new: NewRejection) -> AddResult:
    """Stores a rejection, or returns the one with the same vector.

    Raises UnknownGallery, UnknownIdentity, EncoderMismatch, TooManyRejections.
    """
    reads.check_identity(connection, new.gallery, new.identity)
    reads.check_encoder(connection, new.gallery, new.encoder_id)
    rows = _load(connection, new.gallery, new.identity)
    for row in rows:
        if np.array_equal(row.vector, new.vector):
            return AddResult(_rejection(row), added=False)
    if len(rows) >= MAX_REJECTIONS:
        raise TooManyRejections(new.identity, MAX_REJECTIONS)
    rejection = Rejection(uuid.uuid4().hex, new.encoder_id, datetime.now(UTC))
    _insert(connection, RejectionRecord(new.gallery, new.identity, rejection, new.vector))
    return AddResult(rejection, added=True)


def list_rejections(connection: Connection, gallery: str, identity: str) -> tuple[Rejection, ...]:
    """Raises UnknownGallery, UnknownIdentity."""
    reads.check_identity(connection, gallery, identity)
    return tuple(_rejection(row) for row in _load(connection, gallery, identity))


def delete_rejection(connection: Connection, gallery: str, identity: str, rejection_id: str) -> None:
    """Raises UnknownGallery, UnknownIdentity, UnknownRejection."""
    reads.check_identity(connection, gallery, identity)
    here = (rejections.c.gallery == gallery) & (rejections.c.identity == identity)
    deleted = connection.execute(delete(rejections).where(here, rejections.c.rejection_id == rejection_id))
    if deleted.rowcount == 0:
        raise UnknownRejection(identity, rejection_id)


def list_rejection_records(
    connection: Connection, after: RejectionRecord | None, limit: int
) -> tuple[RejectionRecord, ...]:
    """Returns up to `limit` records that follow `after`, ordered by gallery, identity and id."""
    position = (rejections.c.gallery, rejections.c.identity, rejections.c.rejection_id)
    query = select(rejections).order_by(*position).limit(limit)
    if after is not None:
        query = query.where(tuple_(*position) > tuple_(after.gallery, after.identity, after.rejection.rejection_id))
    return tuple(
        RejectionRecord(row.gallery, row.identity, _rejection(row), row.vector) for row in connection.execute(query)
    )


def import_rejections(connection: Connection, records: Sequence[RejectionRecord]) -> tuple[RejectionRecord, ...]:
    """Adds the records whose ids are new and returns these.

    Raises EncoderMismatch, UnknownGallery, UnknownIdentity.
    """
    ids = [record.rejection.rejection_id for record in records]
    same = rejections.c.gallery.in_({record.gallery for record in records}) & rejections.c.rejection_id.in_(ids)
    existing = set(connection.scalars(select(rejections.c.rejection_id).where(same)))
    new = tuple(record for record in records if record.rejection.rejection_id not in existing)
    for record in new:
        reads.check_identity(connection, record.gallery, record.identity)
        reads.check_encoder(connection, record.gallery, record.rejection.encoder_id)
        _insert(connection, record)
    return new


def _load(connection: Connection, gallery: str, identity: str) -> Sequence[Row[Any]]:
    query = select(rejections).where(rejections.c.gallery == gallery, rejections.c.identity == identity)
    return connection.execute(query.order_by(rejections.c.created_at, rejections.c.rejection_id)).all()


def _insert(connection: Connection, record: RejectionRecord) -> None:
    values = {
        "gallery": record.gallery,
        "rejection_id": record.rejection.rejection_id,
        "identity": record.identity,
        "encoder_id": record.rejection.encoder_id,
        "vector": record.vector,
        "created_at": record.rejection.created_at,
    }
    connection.execute(insert(rejections).values(**values))


def _rejection(row: Row[Any]) -> Rejection:
    return Rejection(row.rejection_id, row.encoder_id, row.created_at.replace(tzinfo=UTC))
