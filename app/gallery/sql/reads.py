"""What a gallery tells, as SQL that SQLite and PostgreSQL share: on connections that are inside a transaction."""

import json
from datetime import UTC
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, tuple_

from app.errors import EncoderMismatch, KeyReused, UnknownGallery, UnknownIdentity
from app.gallery.base import (
    DEFAULT_GALLERY,
    GallerySummary,
    Identity,
    IdentityPage,
    NewTemplate,
    Record,
    Template,
)
from app.gallery.sql.tables import identities, templates


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


def enrolled_before(connection: Connection, new: NewTemplate) -> Template | None:
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


def person(gallery: str, identity: str) -> ColumnElement[bool]:
    return (identities.c.gallery == gallery) & (identities.c.identity == identity)


def is_known(connection: Connection, gallery: str, identity: str) -> bool:
    return connection.scalar(select(identities.c.identity).where(person(gallery, identity))) is not None


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
