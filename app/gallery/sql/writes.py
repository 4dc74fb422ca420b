"""Changes to galleries that SQLite and PostgreSQL share. Every connection must be inside a transaction."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from app.errors import IdentityExists, NameTaken, UnknownIdentity, UnknownTemplate
from app.gallery.base import (
    DeletionReceipt,
    IdempotencyKey,
    Identity,
    IfExists,
    NewTemplate,
    Template,
    TemplateRecord,
)
from app.gallery.sql import reads
from app.gallery.sql.tables import identities, rejections, templates
from app.gallery.sql.text import check_names, write_metadata

ROWS_AT_ONCE: Final = 2_000


# No key of a caller has a line break, so these end the keys of an enrollment's other templates.
KEY_SEPARATOR: Final = "\n"


@dataclass(frozen=True)
class EnrollResult:
    """The templates of an enrollment, and what changed."""

    templates: tuple[Template, ...]
    added: bool  # False if an earlier request with the same key added them
    replaced: bool  # whether older templates of the identity were deleted
    erased: bool = False  # whether anything was removed: older templates or metadata


def enroll(connection: Connection, all_new: Sequence[NewTemplate], if_exists: IfExists) -> EnrollResult:
    """Adds the templates of one identity, unless an earlier request with the same key added them.

    Gallery, identity, metadata and key are those of the first. Raises IdentityExists (with REJECT), EncoderMismatch,
    IdempotencyKeyReused.
    """
    new = all_new[0]
    keys = _template_keys(new.key, len(all_new))
    earlier = reads.find_by_key(connection, new, [key.key for key in keys if key])
    if earlier:
        return EnrollResult(earlier, added=False, replaced=False)
    now = datetime.now(UTC)
    exists = reads.identity_exists(connection, new.gallery, new.identity)
    replaced = exists and if_exists is IfExists.REPLACE
    if exists and if_exists is IfExists.REJECT:
        raise IdentityExists(new.gallery, new.identity)
    if replaced:
        _delete_rows(connection, new.gallery, new.identity, None)
        exists = False
    reads.check_encoder(connection, new.gallery, new.encoder_id)
    if not exists:
        _insert_identity(connection, new.gallery, new.identity, new.metadata or {}, now)
    elif new.metadata is not None:
        _update_metadata(connection, new.gallery, new.identity, new.metadata)
    added = tuple(_new_template(each, now) for each in all_new)
    for each, template, key in zip(all_new, added, keys, strict=True):
        _insert_template(connection, new.gallery, new.identity, template, each.vector, key)
    changed = exists and new.metadata is not None
    return EnrollResult(added, added=True, replaced=replaced, erased=replaced or changed)


def _new_template(new: NewTemplate, now: datetime) -> Template:
    expires_at = new.expires_at and new.expires_at.astimezone(UTC)
    return Template(uuid.uuid4().hex, new.encoder_id, new.detector, new.quality, now, expires_at, new.consent_ref)


def _template_keys(key: IdempotencyKey | None, count: int) -> list[IdempotencyKey | None]:
    """The keys of the templates of one request: stored keys are unique, so the second and later ones have a number."""
    if key is None:
        return [None] * count
    others = (replace(key, key=f"{key.key}{KEY_SEPARATOR}{number:03}") for number in range(1, count))
    return [key, *others]


def edit_identity(
    connection: Connection, gallery: str, identity: str, name: str | None, metadata: Mapping[str, Any] | None
) -> Identity:
    """Changes the name, the metadata or both; None keeps the old value.

    Raises UnknownGallery, UnknownIdentity, NameTaken.
    """
    old = reads.find_identity(connection, gallery, identity)
    new_metadata = old.metadata if metadata is None else metadata
    if name is None or name == identity:
        _update_metadata(connection, gallery, identity, new_metadata)
        return reads.find_identity(connection, gallery, identity)
    if reads.identity_exists(connection, gallery, name):
        raise NameTaken(gallery, name)
    _insert_identity(connection, gallery, name, new_metadata, old.created_at)
    return _move_templates(connection, gallery, identity, name)


def merge_identity(connection: Connection, gallery: str, identity: str, into: str) -> Identity:
    """Moves all templates of `identity` to `into`, which keeps its metadata.

    Raises UnknownGallery, UnknownIdentity, and ValueError if both are the same.
    """
    if identity == into:
        raise ValueError("an identity cannot be merged with itself")
    for each in (identity, into):
        reads.find_identity(connection, gallery, each)
    return _move_templates(connection, gallery, identity, into)


def delete_templates(
    connection: Connection, gallery: str, identity: str | None, template_id: str | None
) -> DeletionReceipt:
    """Deletes one template, all of an identity (`template_id` None) or all of a gallery (both None).

    Raises UnknownGallery, UnknownIdentity, UnknownTemplate.
    """
    reads.check_gallery(connection, gallery)
    if identity is not None and not reads.identity_exists(connection, gallery, identity):
        raise UnknownIdentity(gallery, identity)
    receipt = _delete_rows(connection, gallery, identity, template_id)
    if template_id is not None and identity is not None and not receipt.template_ids:
        raise UnknownTemplate(identity, template_id)
    return receipt


class DryRun(Exception):
    """Undoes a purge. `receipts` says what it would have deleted."""

    def __init__(self, receipts: tuple[DeletionReceipt, ...]) -> None:
        self.receipts = receipts
        super().__init__()


def find_expired(connection: Connection, expired_by: datetime) -> tuple[str, ...]:
    """The galleries with templates that expired by then."""
    query = select(templates.c.gallery).where(_expired(expired_by)).distinct().order_by(templates.c.gallery)
    return tuple(connection.scalars(query))


def purge(
    connection: Connection, galleries: Sequence[str], expired_by: datetime, *, dry_run: bool
) -> tuple[DeletionReceipt, ...]:
    """Deletes the expired templates of `galleries`, and identities that have no others. Raises DryRun."""
    receipts = tuple(_delete_rows(connection, gallery, None, None, _expired(expired_by)) for gallery in galleries)
    if dry_run:
        raise DryRun(receipts)
    return receipts


def _expired(expired_by: datetime) -> ColumnElement[bool]:
    return templates.c.expires_at <= expired_by.astimezone(UTC).replace(tzinfo=None)


def import_records(connection: Connection, records: Sequence[TemplateRecord]) -> tuple[TemplateRecord, ...]:
    """Adds the records whose template ids are new and returns these. Raises EncoderMismatch."""
    ids = [record.template.template_id for record in records]
    galleries = {record.gallery for record in records}
    same = templates.c.gallery.in_(galleries) & templates.c.template_id.in_(ids)
    existing = set(connection.scalars(select(templates.c.template_id).where(same)))
    new = tuple(record for record in records if record.template.template_id not in existing)
    for record in new:
        reads.check_encoder(connection, record.gallery, record.template.encoder_id)
        if not reads.identity_exists(connection, record.gallery, record.identity):
            _insert_identity(connection, record.gallery, record.identity, record.metadata, record.enrolled_at)
        _insert_template(connection, record.gallery, record.identity, record.template, record.vector)
    return new


def _move_templates(connection: Connection, gallery: str, identity: str, into: str) -> Identity:
    """Moves all templates and rejections of `identity` to `into`, deletes `identity` and returns `into`."""
    for table in (templates, rejections):
        moved = (table.c.gallery == gallery) & (table.c.identity == identity)
        connection.execute(update(table).where(moved).values(identity=into))
    connection.execute(delete(identities).where(reads.is_identity(gallery, identity)))
    return reads.find_identity(connection, gallery, into)


def _delete_rows(
    connection: Connection,
    gallery: str,
    identity: str | None,
    template_id: str | None,
    condition: ColumnElement[bool] | None = None,
) -> DeletionReceipt:
    """Deletes the templates, and the identities that have none left."""
    deleted = templates.c.gallery == gallery
    if condition is not None:
        deleted &= condition
    empty = identities.c.gallery == gallery
    if identity is not None:
        deleted &= templates.c.identity == identity
        empty &= identities.c.identity == identity
    if template_id is not None:
        deleted &= templates.c.template_id == template_id
    # Fetched in parts: the event loop, on which PostgreSQL's rows arrive, must serve other requests in between.
    in_parts = {"yield_per": ROWS_AT_ONCE}
    template_ids = tuple(connection.scalars(select(templates.c.template_id).where(deleted), execution_options=in_parts))
    connection.execute(delete(templates).where(deleted))
    empty &= ~(
        select(templates.c.template_id)
        .where(templates.c.gallery == identities.c.gallery, templates.c.identity == identities.c.identity)
        .exists()
    )
    names = tuple(connection.scalars(select(identities.c.identity).where(empty), execution_options=in_parts))
    connection.execute(delete(identities).where(empty))
    return DeletionReceipt(gallery, names, template_ids, datetime.now(UTC))


def _update_metadata(connection: Connection, gallery: str, identity: str, metadata: Mapping[str, Any]) -> None:
    here = reads.is_identity(gallery, identity)
    connection.execute(update(identities).where(here).values(metadata=write_metadata(metadata)))


def _insert_identity(
    connection: Connection, gallery: str, identity: str, metadata: Mapping[str, Any], created_at: datetime
) -> None:
    check_names(gallery, identity)
    values = {"gallery": gallery, "identity": identity, "metadata": write_metadata(metadata)}
    connection.execute(insert(identities).values(**values, created_at=created_at))


def _insert_template(
    connection: Connection,
    gallery: str,
    identity: str,
    template: Template,
    vector: NDArray[np.float32],
    key: IdempotencyKey | None = None,
) -> None:
    values = {"gallery": gallery, "identity": identity, "vector": vector, **asdict(template)}
    if key is not None:
        values |= {"request_key": key.key, "request_digest": key.digest}
    connection.execute(insert(templates).values(**values))
