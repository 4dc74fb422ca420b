"""SQL for PostgreSQL alone: the search, the writers' lock, and the stored numbers of templates."""

from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    DDL,
    ColumnElement,
    Connection,
    Float,
    Integer,
    Select,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from app.gallery.base import NewTemplate
from app.gallery.sql.tables import PgVector, identities, rejections, template_counts, templates
from app.gallery.sql.text import unreadable_rows

MAX_INDEXED_DIMENSION: Final = 2000  # pgvector's limit; longer vectors are always compared one by one

# The database's clock, so that all services agree on what has expired. The columns hold UTC without a time zone.
NOW: Final[ColumnElement[datetime]] = literal_column("(now() AT TIME ZONE 'UTC')")
NOT_EXPIRED: Final = templates.c.expires_at.is_(None) | (templates.c.expires_at > NOW)
_EXPIRED: Final = (
    select(func.count())
    .where(
        templates.c.gallery == template_counts.c.gallery,
        templates.c.encoder_id == template_counts.c.encoder_id,
        templates.c.detector == template_counts.c.detector,
        templates.c.expires_at <= NOW,
    )
    .scalar_subquery()
)
COUNTS: Final = select(
    template_counts.c.encoder_id,
    template_counts.c.detector,
    (template_counts.c.templates - _EXPIRED).label("templates"),
).where(template_counts.c.gallery == bindparam("gallery"))


@cache
def search_query(indexed_dimension: int | None) -> Select[Any]:
    """Returns the templates nearest to :probe, as rows of identity, template id and negative cosine.

    With `indexed_dimension`, the length of :probe, it searches the index of this dimension; with None, all templates.
    """
    # Cached: building it takes SQLAlchemy as long as PostgreSQL takes to search a small gallery.
    negative_cosine = _negative_cosine(indexed_dimension)
    # The encoder again: another process may have replaced the gallery since its encoder was checked.
    here = (templates.c.gallery == bindparam("gallery")) & (templates.c.encoder_id == bindparam("encoder"))
    query = select(templates.c.identity, templates.c.template_id, negative_cosine).where(here, NOT_EXPIRED)
    if indexed_dimension is not None:  # the condition of the partial index
        query = query.where(func.vector_dims(templates.c.vector) == literal_column(str(indexed_dimension)))
    return query.order_by(negative_cosine).limit(bindparam("limit", type_=Integer()))


@cache
def identity_query() -> Select[Any]:
    """Compares :probe with the templates of :only: rows of identity, template id, negative cosine and detector."""
    here = (templates.c.gallery == bindparam("gallery")) & (templates.c.encoder_id == bindparam("encoder"))
    columns = (templates.c.identity, templates.c.template_id, _negative_cosine(None), templates.c.detector)
    return select(*columns).where(here, templates.c.identity == bindparam("only"), NOT_EXPIRED)


@cache
def rejections_query() -> Select[Any]:
    """Returns identity and vector of the rejections of :names."""
    here = (rejections.c.gallery == bindparam("gallery")) & (rejections.c.encoder_id == bindparam("encoder"))
    named = rejections.c.identity.in_(bindparam("names", expanding=True))
    return select(rejections.c.identity, rejections.c.vector).where(here, named)


def _negative_cosine(dimension: int | None) -> ColumnElement[float]:
    # <#> is minus the inner product: for unit vectors, minus the cosine.
    vector = cast(templates.c.vector, PgVector(dimension))
    return vector.op("<#>", return_type=Float())(bindparam("probe", type_=PgVector()))


def index_name(dimension: int) -> str:
    """The name of the index of vectors with this many numbers."""
    return f"templates_by_vector_{dimension}"


def create_index(dimension: int) -> DDL:
    """Creates the index of a dimension, unless there is one. Waits for other writers, and other writers for it."""
    return DDL(  # type: ignore[no-untyped-call]
        f"CREATE INDEX IF NOT EXISTS {index_name(dimension)} ON templates "
        f"USING hnsw ((vector::vector({dimension})) vector_ip_ops) "
        f"WITH (m = 24, ef_construction = 200) WHERE vector_dims(vector) = {dimension}"
    )


def lock(gallery: str) -> Select[Any]:
    """Waits until no other transaction writes to the gallery."""
    return select(func.pg_advisory_xact_lock(func.hashtextextended(gallery, 0)))


def increment_count(gallery: str, new: NewTemplate) -> Insert:
    """Counts one more template."""
    key = {"gallery": gallery, "encoder_id": new.encoder_id, "detector": new.detector}
    more = {"templates": template_counts.c.templates + 1}
    return insert(template_counts).values(**key, templates=1).on_conflict_do_update(index_elements=list(key), set_=more)


def recount(connection: Connection, gallery: str) -> None:
    """Counts the templates of a gallery again, after a deletion or an import."""
    connection.execute(delete(template_counts).where(template_counts.c.gallery == gallery))
    key = (templates.c.gallery, templates.c.encoder_id, templates.c.detector)
    counted = select(*key, cast(func.count(), Integer)).where(templates.c.gallery == gallery).group_by(*key)
    connection.execute(insert(template_counts).from_select(list(template_counts.columns.keys()), counted))


def find_integrity_errors(connection: Connection) -> tuple[str, ...]:
    """Compares the stored numbers of templates with the templates, and looks for text that cannot be sent or named."""
    key = (templates.c.gallery, templates.c.encoder_id, templates.c.detector)
    counted = {tuple(row) for row in connection.execute(select(*key, func.count()).group_by(*key))}
    stored = {tuple(row) for row in connection.execute(select(template_counts))}
    owner = (templates.c.gallery == identities.c.gallery) & (templates.c.identity == identities.c.identity)
    names = (identities.c.gallery, identities.c.identity, identities.c.metadata)
    rows = connection.execute(
        select(*names, func.min(templates.c.template_id)).outerjoin_from(identities, templates, owner).group_by(*names)
    )
    unreadable = unreadable_rows(tuple(row) for row in rows)
    counts = () if counted == stored else ("The table `holdings` does not match the number of templates.",)
    return (*counts, *unreadable)
