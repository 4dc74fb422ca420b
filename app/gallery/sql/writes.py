"""What changes a gallery, as SQL that SQLite and PostgreSQL share: on connections that are inside a transaction."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, insert, select, update

from app.errors import IdentityExists, NameTaken, UnknownIdentity, UnknownTemplate
from app.gallery.base import EnrollmentKey, Identity, IfExists, NewTemplate, Receipt, Record, Template
from app.gallery.sql import reads as lookups
from app.gallery.sql.tables import identities, templates


@dataclass(frozen=True)
class Enrolled:
    """What an enrolment came to."""

    template: Template
    fresh: bool  # else an earlier request with the same key has brought it
    replaced: bool  # others of the same identity are gone


def enroll(connection: Connection, new: NewTemplate, if_exists: IfExists) -> Enrolled:
    """Keeps a template, unless the same request has brought one before. Raises IdentityExists (REJECT),
    EncoderMismatch, KeyReused."""
    earlier = lookups.enrolled_before(connection, new)
    if earlier is not None:
        return Enrolled(earlier, fresh=False, replaced=False)
    here = lookups.person(new.gallery, new.identity)
    now = datetime.now(UTC)
    template = Template(uuid.uuid4().hex, new.encoder_id, new.detector, new.quality, now)
    known = lookups.is_known(connection, new.gallery, new.identity)
    replaced = known and if_exists is IfExists.REPLACE
    if known and if_exists is IfExists.REJECT:
        raise IdentityExists(new.gallery, new.identity)
    if replaced:
        erase(connection, new.gallery, new.identity, None)
        known = False
    lookups.check_encoder(connection, new.gallery, new.encoder_id)
    if not known:
        _insert_identity(connection, new.gallery, new.identity, new.metadata or {}, now)
    elif new.metadata is not None:
        connection.execute(update(identities).where(here).values(metadata=json.dumps(dict(new.metadata))))
    _insert_template(connection, new.gallery, new.identity, template, new.vector, new.key)
    return Enrolled(template, fresh=True, replaced=replaced)


def edit_identity(
    connection: Connection, gallery: str, identity: str, name: str | None, metadata: Mapping[str, Any] | None
) -> Identity:
    """Raises UnknownGallery, UnknownIdentity, NameTaken."""
    known = lookups.find_identity(connection, gallery, identity)
    kept = known.metadata if metadata is None else metadata
    if name is None or name == identity:
        values = {"metadata": json.dumps(dict(kept))}
        connection.execute(update(identities).where(lookups.person(gallery, identity)).values(**values))
        return lookups.find_identity(connection, gallery, identity)
    if lookups.is_known(connection, gallery, name):
        raise NameTaken(gallery, name)
    _insert_identity(connection, gallery, name, kept, known.created_at)
    return _move_templates(connection, gallery, identity, name)


def merge_identity(connection: Connection, gallery: str, identity: str, into: str) -> Identity:
    """Raises UnknownGallery, UnknownIdentity, ValueError."""
    if identity == into:
        raise ValueError("somebody cannot be merged with themselves")
    for each in (identity, into):
        lookups.find_identity(connection, gallery, each)
    return _move_templates(connection, gallery, identity, into)


def _move_templates(connection: Connection, gallery: str, identity: str, into: str) -> Identity:
    theirs = (templates.c.gallery == gallery) & (templates.c.identity == identity)
    connection.execute(update(templates).where(theirs).values(identity=into))
    connection.execute(delete(identities).where(lookups.person(gallery, identity)))
    return lookups.find_identity(connection, gallery, into)


def forget(connection: Connection, gallery: str, identity: str | None, template_id: str | None) -> Receipt:
    """A gallery, an identity or one template. Raises UnknownGallery, UnknownIdentity, UnknownTemplate."""
    lookups.check_gallery(connection, gallery)
    if identity is not None and not lookups.is_known(connection, gallery, identity):
        raise UnknownIdentity(gallery, identity)
    receipt = erase(connection, gallery, identity, template_id)
    if template_id is not None and identity is not None and not receipt.template_ids:
        raise UnknownTemplate(identity, template_id)
    return receipt


def erase(connection: Connection, gallery: str, identity: str | None, template_id: str | None) -> Receipt:
    """Removes a gallery, an identity or one template, and identities left without any."""
    which = templates.c.gallery == gallery
    bare = identities.c.gallery == gallery
    if identity is not None:
        which &= templates.c.identity == identity
        bare &= identities.c.identity == identity
    if template_id is not None:
        which &= templates.c.template_id == template_id
    gone = tuple(connection.scalars(select(templates.c.template_id).where(which)))
    connection.execute(delete(templates).where(which))
    bare &= ~(
        select(templates.c.template_id)
        .where(templates.c.gallery == identities.c.gallery, templates.c.identity == identities.c.identity)
        .exists()
    )
    names = tuple(connection.scalars(select(identities.c.identity).where(bare)))
    connection.execute(delete(identities).where(bare))
    return Receipt(gallery, names, gone, datetime.now(UTC))


def restore(connection: Connection, records: Sequence[Record]) -> int:
    """Keeps those that are not there yet; how many. Raises EncoderMismatch."""
    ids = [record.template.template_id for record in records]
    galleries = {record.gallery for record in records}
    known = templates.c.gallery.in_(galleries) & templates.c.template_id.in_(ids)
    there = set(connection.scalars(select(templates.c.template_id).where(known)))
    fresh = tuple(record for record in records if record.template.template_id not in there)
    for record in fresh:
        lookups.check_encoder(connection, record.gallery, record.template.encoder_id)
        if not lookups.is_known(connection, record.gallery, record.identity):
            _insert_identity(connection, record.gallery, record.identity, record.metadata, record.enrolled_at)
        _insert_template(connection, record.gallery, record.identity, record.template, record.vector)
    return len(fresh)


def _insert_identity(
    connection: Connection, gallery: str, identity: str, metadata: Mapping[str, Any], created_at: datetime
) -> None:
    values = {"gallery": gallery, "identity": identity, "metadata": json.dumps(dict(metadata))}
    connection.execute(insert(identities).values(**values, created_at=created_at))


def _insert_template(
    connection: Connection,
    gallery: str,
    identity: str,
    template: Template,
    vector: NDArray[np.float32],
    key: EnrollmentKey | None = None,
) -> None:
    values = {"gallery": gallery, "identity": identity, "vector": vector, **asdict(template)}
    if key is not None:
        values |= {"request_key": key.key, "request_digest": key.digest}
    connection.execute(insert(templates).values(**values))
