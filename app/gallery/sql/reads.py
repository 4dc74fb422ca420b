"""Queries that SQLite and PostgreSQL share. Every connection must be inside a transaction."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, true, tuple_

from app.errors import EncoderMismatch, IdempotencyKeyReused, UnknownGallery, UnknownIdentity
from app.gallery.base import (
    DEFAULT_GALLERY,
    GallerySummary,
    Identity,
    IdentityPage,
    NewTemplate,
    Template,
    TemplatePage,
    TemplateRecord,
)
from app.gallery.sql.tables import identities, templates
from app.gallery.sql.text import read_metadata


def find_identity(connection: Connection, gallery: str, identity: str) -> Identity:
    """Raises UnknownGallery, UnknownIdentity."""
    page = _load_identities(connection, gallery, identities.c.identity == identity, limit=1)
    if not page:
        check_gallery(connection, gallery)
        raise UnknownIdentity(gallery, identity)
    return page[0]


def list_identities(
    connection: Connection, gallery: str, after: str | None, limit: int, prefix: str = ""
) -> IdentityPage:
    """Raises UnknownGallery."""
    wanted = (identities.c.identity > (after or "")) & _begins_with(prefix)
    page = _load_identities(connection, gallery, wanted, limit=limit + 1)
    if not page:
        check_gallery(connection, gallery)
    shown = tuple(page[:limit])
    return IdentityPage(shown, shown[-1].identity if len(page) > limit else None)


def _begins_with(prefix: str) -> ColumnElement[bool]:
    """The condition that a name begins with `prefix`, as a range: names sort by their bytes, so an index serves it."""
    if not prefix:
        return true()
    # The first text after everything with this prefix: the last character that has a next one, raised by one.
    head = prefix.rstrip("\U0010ffff")
    condition = identities.c.identity >= prefix
    if not head:
        return condition
    following = ord(head[-1]) + 1
    surrogates = range(0xD800, 0xE000)  # no text has them
    return condition & (identities.c.identity < head[:-1] + chr(0xE000 if following in surrogates else following))


def list_templates(connection: Connection, gallery: str, identity: str, after: str | None, limit: int) -> TemplatePage:
    """Raises UnknownGallery, UnknownIdentity."""
    check_identity(connection, gallery, identity)
    own = (templates.c.gallery == gallery) & (templates.c.identity == identity)
    query = select(templates).where(own, templates.c.template_id > (after or "")).order_by(templates.c.template_id)
    page = tuple(_template(row) for row in connection.execute(query.limit(limit + 1)))
    return TemplatePage(page[:limit], page[limit - 1].template_id if len(page) > limit else None)


def list_galleries(connection: Connection) -> tuple[GallerySummary, ...]:
    """Returns all galleries by name, the default one even if it is empty."""
    columns = (templates.c.gallery, templates.c.encoder_id, templates.c.detector)
    query = select(*columns, func.count().label("template_count")).group_by(*columns).order_by(*columns)
    rows: dict[str, list[Row[Any]]] = {DEFAULT_GALLERY: []}
    for row in connection.execute(query):
        rows.setdefault(row.gallery, []).append(row)
    people = select(identities.c.gallery, func.count().label("people")).group_by(identities.c.gallery)
    people_in = {row.gallery: row.people for row in connection.execute(people)}
    return tuple(
        GallerySummary(
            gallery,
            identities=people_in.get(gallery, 0),
            templates=sum(row.template_count for row in group),
            encoder_ids=tuple(sorted({row.encoder_id for row in group})),
            detectors=tuple(sorted({row.detector for row in group})),
        )
        for gallery, group in sorted(rows.items())
    )


def list_records(connection: Connection, after: TemplateRecord | None, limit: int) -> tuple[TemplateRecord, ...]:
    """Returns up to `limit` records that follow `after`, ordered by gallery, identity and template id."""
    same = (templates.c.gallery == identities.c.gallery) & (templates.c.identity == identities.c.identity)
    columns = (templates, identities.c.metadata, identities.c.created_at.label("enrolled_at"))
    query = select(*columns).join_from(templates, identities, same)
    position = (templates.c.gallery, templates.c.identity, templates.c.template_id)
    if after is not None:
        query = query.where(tuple_(*position) > tuple_(after.gallery, after.identity, after.template.template_id))
    return tuple(
        TemplateRecord(
            row.gallery,
            row.identity,
            read_metadata(row.metadata),
            row.enrolled_at.replace(tzinfo=UTC),
            _template(row),
            row.vector,
        )
        for row in connection.execute(query.order_by(*position).limit(limit))
    )


def find_by_key(connection: Connection, new: NewTemplate, keys: Sequence[str]) -> tuple[Template, ...]:
    """Returns the templates that an earlier request with the same idempotency key enrolled, in its order, if any.

    `keys` are those of its templates, see `template_keys`. Raises IdempotencyKeyReused if that request was a different
    one.
    """
    if new.key is None:
        return ()
    same = (templates.c.gallery == new.gallery) & templates.c.request_key.in_(keys)
    rows = connection.execute(select(templates).where(same).order_by(templates.c.request_key)).all()
    if any(row.request_digest != new.key.digest for row in rows):
        raise IdempotencyKeyReused
    return tuple(_template(row) for row in rows)


def check_encoder(connection: Connection, gallery: str, encoder_id: str) -> None:
    """Raises EncoderMismatch if the gallery holds templates of another encoder."""
    # One template is enough: a gallery never gets a second encoder.
    found = connection.scalar(select(templates.c.encoder_id).where(templates.c.gallery == gallery).limit(1))
    if found not in (None, encoder_id):
        raise EncoderMismatch(gallery)


def check_gallery(connection: Connection, gallery: str) -> None:
    """Raises UnknownGallery if the gallery is empty, unless it is the default one."""
    anybody = select(identities.c.identity).where(identities.c.gallery == gallery).limit(1)
    if gallery != DEFAULT_GALLERY and connection.scalar(anybody) is None:
        raise UnknownGallery(gallery)


def check_identity(connection: Connection, gallery: str, identity: str) -> None:
    """Raises UnknownGallery, UnknownIdentity."""
    check_gallery(connection, gallery)
    if not identity_exists(connection, gallery, identity):
        raise UnknownIdentity(gallery, identity)


def identity_exists(connection: Connection, gallery: str, identity: str) -> bool:
    """Whether the identity is enrolled in the gallery."""
    return connection.scalar(select(identities.c.identity).where(is_identity(gallery, identity))) is not None


def is_identity(gallery: str, identity: str) -> ColumnElement[bool]:
    """The condition that a row of `identities` is this one."""
    return (identities.c.gallery == gallery) & (identities.c.identity == identity)


def _load_identities(
    connection: Connection, gallery: str, condition: ColumnElement[bool], limit: int
) -> list[Identity]:
    """Loads up to `limit` identities that meet `condition`, by name, with their templates."""
    query = select(identities).where(identities.c.gallery == gallery, condition).order_by(identities.c.identity)
    rows = connection.execute(query.limit(limit)).all()
    names = [row.identity for row in rows]
    by_name: dict[str, list[Template]] = {name: [] for name in names}
    of_these = select(templates).where(templates.c.gallery == gallery, templates.c.identity.in_(names))
    for row in connection.execute(of_these.order_by(templates.c.created_at, templates.c.template_id)):
        by_name[row.identity].append(_template(row))
    return [
        Identity(
            gallery,
            row.identity,
            read_metadata(row.metadata),
            row.created_at.replace(tzinfo=UTC),
            tuple(by_name[row.identity]),
        )
        for row in rows
    ]


def _template(row: Row[Any]) -> Template:
    created_at = row.created_at.replace(tzinfo=UTC)
    expires_at = row.expires_at and row.expires_at.replace(tzinfo=UTC)
    return Template(row.template_id, row.encoder_id, row.detector, row.quality, created_at, expires_at, row.consent_ref)
