"""What a gallery does, as SQL that SQLite and PostgreSQL share: each on a connection that is inside a transaction."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, tuple_, update

from app.errors import (
    EncoderMismatch,
    IdentityExists,
    KeyReused,
    NameTaken,
    UnknownGallery,
    UnknownIdentity,
    UnknownTemplate,
)
from app.gallery.base import (
    DEFAULT_GALLERY,
    EnrollmentKey,
    GallerySummary,
    Identity,
    IdentityPage,
    IfExists,
    NewTemplate,
    Receipt,
    Record,
    Template,
)
from app.gallery.tables import identities, templates


@dataclass(frozen=True)
class Enrolled:
    """What an enrolment came to."""

    template: Template
    fresh: bool  # else an earlier request with the same key has brought it
    replaced: bool  # others of the same identity are gone


def enroll(connection: Connection, new: NewTemplate, if_exists: IfExists) -> Enrolled:
    """The template, or the one that the same request has brought before; and what is no longer there, where REPLACE
    found somebody. Raises IdentityExists (REJECT), EncoderMismatch, KeyReused."""
    earlier = _enrolled_before(connection, new)
    if earlier is not None:
        return Enrolled(earlier, False, False)
    here = _person(new.gallery, new.identity)
    now = datetime.now(UTC)
    template = Template(uuid.uuid4().hex, new.encoder_id, new.detector, new.quality, now)
    known = _is_known(connection, new.gallery, new.identity)
    replaced = None
    if known and if_exists is IfExists.REJECT:
        raise IdentityExists(new.gallery, new.identity)
    if known and if_exists is IfExists.REPLACE:
        replaced = erase(connection, new.gallery, new.identity, None)
        known = False
    check_encoder(connection, new.gallery, new.encoder_id)
    if not known:
        _insert_identity(connection, new.gallery, new.identity, new.metadata or {}, now)
    elif new.metadata is not None:
        connection.execute(update(identities).where(here).values(metadata=json.dumps(dict(new.metadata))))
    _insert_template(connection, new.gallery, new.identity, template, new.vector, new.key)
    return Enrolled(template, True, replaced is not None)


def _enrolled_before(connection: Connection, new: NewTemplate) -> Template | None:
    """By the key. Raises KeyReused where it stands for something else."""
    if new.key is None:
        return None
    same = (templates.c.gallery == new.gallery) & (templates.c.request_key == new.key.key)
    row = connection.execute(select(templates).where(same)).one_or_none()
    if row is None:
        return None
    if row.request_digest != new.key.digest:
        raise KeyReused
    return _template(row)


def edit_identity(
    connection: Connection, gallery: str, identity: str, name: str | None, metadata: Mapping[str, Any] | None
) -> Identity:
    """Raises UnknownGallery, UnknownIdentity, NameTaken."""
    known = find_identity(connection, gallery, identity)
    kept = known.metadata if metadata is None else metadata
    if name is None or name == identity:
        values = {"metadata": json.dumps(dict(kept))}
        connection.execute(update(identities).where(_person(gallery, identity)).values(**values))
        return find_identity(connection, gallery, identity)
    if _is_known(connection, gallery, name):
        raise NameTaken(gallery, name)
    _insert_identity(connection, gallery, name, kept, known.created_at)
    return _move_templates(connection, gallery, identity, name)


def merge_identity(connection: Connection, gallery: str, identity: str, into: str) -> Identity:
    """Raises UnknownGallery, UnknownIdentity, ValueError."""
    if identity == into:
        raise ValueError("somebody cannot be merged with themselves")
    for each in (identity, into):
        find_identity(connection, gallery, each)
    return _move_templates(connection, gallery, identity, into)


def _move_templates(connection: Connection, gallery: str, identity: str, into: str) -> Identity:
    theirs = (templates.c.gallery == gallery) & (templates.c.identity == identity)
    connection.execute(update(templates).where(theirs).values(identity=into))
    connection.execute(delete(identities).where(_person(gallery, identity)))
    return find_identity(connection, gallery, into)


def find_identity(connection: Connection, gallery: str, identity: str) -> Identity:
    """Raises UnknownGallery, UnknownIdentity."""
    page = _load(connection, gallery, identities.c.identity == identity, limit=1)
    if not page:
        check_gallery(connection, gallery)
        raise UnknownIdentity(gallery, identity)
    return page[0]


def list_identities(connection: Connection, gallery: str, after: str | None, limit: int) -> IdentityPage:
    """Raises UnknownGallery."""
    page = _load(connection, gallery, identities.c.identity > (after or ""), limit=limit + 1)
    if not page:
        check_gallery(connection, gallery)
    shown = tuple(page[:limit])
    return IdentityPage(shown, shown[-1].identity if len(page) > limit else None)


def list_galleries(connection: Connection) -> tuple[GallerySummary, ...]:
    columns = (templates.c.gallery, templates.c.identity, templates.c.encoder_id, templates.c.detector)
    query = select(*columns, func.count().label("held")).group_by(*columns).order_by(*columns)
    summaries: dict[str, list[Row[Any]]] = {DEFAULT_GALLERY: []}
    for row in connection.execute(query):
        summaries.setdefault(row.gallery, []).append(row)
    return tuple(
        GallerySummary(
            gallery,
            identities=len({row.identity for row in group}),
            templates=sum(row.held for row in group),
            encoder_ids=tuple(sorted({row.encoder_id for row in group})),
            detectors=tuple(sorted({row.detector for row in group})),
        )
        for gallery, group in sorted(summaries.items())
    )


def forget(connection: Connection, gallery: str, identity: str | None, template_id: str | None) -> Receipt:
    """A gallery, an identity or one template. Raises UnknownGallery, UnknownIdentity, UnknownTemplate."""
    check_gallery(connection, gallery)
    if identity is not None and not _is_known(connection, gallery, identity):
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


def load_records(connection: Connection, after: Record | None, limit: int) -> tuple[Record, ...]:
    """By gallery, identity and template id, those after `after`."""
    same = (templates.c.gallery == identities.c.gallery) & (templates.c.identity == identities.c.identity)
    columns = (templates, identities.c.metadata, identities.c.created_at.label("enrolled_at"))
    query = select(*columns).join_from(templates, identities, same)
    place = (templates.c.gallery, templates.c.identity, templates.c.template_id)
    if after is not None:
        query = query.where(tuple_(*place) > tuple_(after.gallery, after.identity, after.template.template_id))
    return tuple(
        Record(
            row.gallery,
            row.identity,
            json.loads(row.metadata),
            row.enrolled_at.replace(tzinfo=UTC),
            _template(row),
            row.vector,
        )
        for row in connection.execute(query.order_by(*place).limit(limit))
    )


def restore(connection: Connection, records: Sequence[Record]) -> int:
    """Keeps those that are not there yet; how many. Raises EncoderMismatch."""
    ids = [record.template.template_id for record in records]
    galleries = {record.gallery for record in records}
    known = templates.c.gallery.in_(galleries) & templates.c.template_id.in_(ids)
    there = set(connection.scalars(select(templates.c.template_id).where(known)))
    fresh = tuple(record for record in records if record.template.template_id not in there)
    for record in fresh:
        check_encoder(connection, record.gallery, record.template.encoder_id)
        if not _is_known(connection, record.gallery, record.identity):
            _insert_identity(connection, record.gallery, record.identity, record.metadata, record.enrolled_at)
        _insert_template(connection, record.gallery, record.identity, record.template, record.vector)
    return len(fresh)


def check_encoder(connection: Connection, gallery: str, encoder_id: str) -> None:
    """Raises EncoderMismatch where a gallery holds templates of another encoder: one tells of all, since no other ever
    comes in."""
    held = connection.scalar(select(templates.c.encoder_id).where(templates.c.gallery == gallery).limit(1))
    if held not in (None, encoder_id):
        raise EncoderMismatch(gallery)


def check_gallery(connection: Connection, gallery: str) -> None:
    """Raises UnknownGallery where nobody is in it, save for the default one, which always exists."""
    anybody = select(identities.c.identity).where(identities.c.gallery == gallery).limit(1)
    if gallery != DEFAULT_GALLERY and connection.scalar(anybody) is None:
        raise UnknownGallery(gallery)


def _person(gallery: str, identity: str) -> ColumnElement[bool]:
    return (identities.c.gallery == gallery) & (identities.c.identity == identity)


def _is_known(connection: Connection, gallery: str, identity: str) -> bool:
    return connection.scalar(select(identities.c.identity).where(_person(gallery, identity))) is not None


def _load(connection: Connection, gallery: str, which: Any, limit: int) -> list[Identity]:
    """At most `limit` identities of a gallery that `which` allows, by name, with their templates."""
    query = select(identities).where(identities.c.gallery == gallery, which).order_by(identities.c.identity)
    people = connection.execute(query.limit(limit)).all()
    names = [person.identity for person in people]
    kept: dict[str, list[Template]] = {name: [] for name in names}
    theirs = select(templates).where(templates.c.gallery == gallery, templates.c.identity.in_(names))
    for row in connection.execute(theirs.order_by(templates.c.created_at, templates.c.template_id)):
        kept[row.identity].append(_template(row))
    return [
        Identity(
            gallery,
            person.identity,
            json.loads(person.metadata),
            person.created_at.replace(tzinfo=UTC),
            tuple(kept[person.identity]),
        )
        for person in people
    ]


def _template(row: Row[Any]) -> Template:
    created = row.created_at.replace(tzinfo=UTC)
    return Template(row.template_id, row.encoder_id, row.detector, row.quality, created)


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
