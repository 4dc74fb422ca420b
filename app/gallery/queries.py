"""The SQL that several operations of a gallery share."""

import json
from datetime import UTC
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from app.errors import UnknownGallery
from app.gallery.base import DEFAULT_GALLERY, Identity, Template
from app.gallery.tables import changes, identities, templates


def erase(
    connection: Connection, gallery: str, identity: str | None, template_id: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Removes a gallery, an identity or one template, and identities left without any; names and template ids."""
    which = templates.c.gallery == gallery
    if identity is not None:
        which &= templates.c.identity == identity
    if template_id is not None:
        which &= templates.c.template_id == template_id
    gone = tuple(connection.scalars(select(templates.c.template_id).where(which)))
    connection.execute(delete(templates).where(which))
    if gone:
        connection.execute(insert(changes), [{"template_id": each} for each in gone])
    bare = (identities.c.gallery == gallery) & ~(
        select(templates.c.template_id)
        .where(templates.c.gallery == identities.c.gallery, templates.c.identity == identities.c.identity)
        .exists()
    )
    names = tuple(connection.scalars(select(identities.c.identity).where(bare)))
    connection.execute(delete(identities).where(bare))
    return names, gone


def check_gallery(connection: Connection, gallery: str) -> None:
    """Raises UnknownGallery where nobody is in it, save for the default one, which always exists."""
    anybody = select(identities.c.identity).where(identities.c.gallery == gallery).limit(1)
    if gallery != DEFAULT_GALLERY and connection.scalar(anybody) is None:
        raise UnknownGallery(gallery)


def load_identities(connection: Connection, gallery: str, which: Any, limit: int) -> list[Identity]:
    """At most `limit` identities of a gallery that `which` allows, by name, with their templates."""
    query = select(identities).where(identities.c.gallery == gallery, which).order_by(identities.c.identity)
    people = connection.execute(query.limit(limit)).all()
    names = [person.identity for person in people]
    kept: dict[str, list[Template]] = {name: [] for name in names}
    theirs = select(templates).where(templates.c.gallery == gallery, templates.c.identity.in_(names))
    for row in connection.execute(theirs.order_by(templates.c.created_at, templates.c.template_id)):
        created = row.created_at.replace(tzinfo=UTC)
        kept[row.identity].append(Template(row.template_id, row.encoder_id, row.detector, row.quality, created))
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
