"""The gallery of several services: PostgreSQL with pgvector keeps, searches and erases; nothing is in memory here.

`gallery` is in every key, so that the tables can be distributed by it. Writers to one gallery take turns, as in SQLite,
by an advisory lock; those to different galleries do not wait for each other.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache, partial
from typing import Any, Final, TypeVar

import numpy as np
from alembic.util import CommandError
from numpy.typing import NDArray
from sqlalchemy import (
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
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.errors import EncoderMismatch, GalleryUnavailable, UnknownGallery
from app.gallery.base import (
    DEFAULT_GALLERY,
    Candidate,
    GalleryError,
    GallerySummary,
    Identity,
    IdentityPage,
    IfExists,
    NewTemplate,
    Receipt,
    Record,
    SearchResult,
    Template,
)
from app.gallery.postgres.connections import open_engine
from app.gallery.ranking import best_identities
from app.gallery.sql import reads as lookups
from app.gallery.sql import writes as operations
from app.gallery.sql.migrate import migrate
from app.gallery.sql.tables import PgVector, holdings, templates

T = TypeVar("T")

EXACT: Final = 50_000  # templates of a gallery up to which every one is compared
INDEXED: Final = 128  # numbers of the vectors that have an index; others are compared one by one
MIGRATING: Final = 7_270_727  # names the lock under which one service migrates and the others wait


class PostgresGallery:
    """Implements app.gallery.base.Gallery. Open it with `PostgresGallery.open(url)`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # A search reads in single statements: a transaction around them would only cost time.
        self._searching = engine.execution_options(isolation_level="AUTOCOMMIT")

    @classmethod
    async def open(cls, url: str) -> "PostgresGallery":
        """Makes the tables or migrates them. Raises GalleryError, which never tells the password."""
        first = open_engine(url, vectors=False)  # the type comes into being only now
        try:
            async with first.begin() as connection:
                await connection.execute(select(func.pg_advisory_xact_lock(MIGRATING)))
                await connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
                await connection.run_sync(migrate)
        except CommandError as error:
            raise GalleryError(f"The gallery's tables were made by a newer facetwin: {error}") from error
        except DBAPIError as error:
            raise GalleryError(f"The PostgreSQL gallery cannot be opened: {_reason(error)}") from error
        finally:
            await first.dispose()
        return cls(open_engine(url, vectors=True))

    async def close(self) -> None:
        await self._engine.dispose()

    async def enroll(self, new: NewTemplate, if_exists: IfExists) -> Template:
        async with self._writing(new.gallery) as connection:
            enrolled = await connection.run_sync(operations.enroll, new, if_exists)
            if enrolled.replaced:
                await connection.run_sync(_recount, new.gallery)
            elif enrolled.fresh:
                await connection.execute(_one_more(new))
        return enrolled.template

    async def search(
        self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int, only: str | None = None
    ) -> SearchResult:
        async with self._connected(self._searching.connect) as connection:
            held = (await connection.execute(_HELD, {"of": gallery})).all()
            if not held:
                if gallery != DEFAULT_GALLERY:
                    raise UnknownGallery(gallery)
                return SearchResult((), 0, frozenset())
            if {row.encoder_id for row in held} != {encoder_id}:
                raise EncoderMismatch(gallery)
            size = sum(row.templates for row in held)
            indexed = only is None and size > EXACT and len(vector) == INDEXED
            asked = {"of": gallery, "encoder": encoder_id, "probe": vector, "only": only}
            found = await _best(connection, asked, top_k, size, indexed)
        return SearchResult(found, size, frozenset(row.detector for row in held))

    async def identity(self, gallery: str, identity: str) -> Identity:
        return await self._read(partial(lookups.find_identity, gallery=gallery, identity=identity))

    async def identities(self, gallery: str, after: str | None, limit: int) -> IdentityPage:
        return await self._read(partial(lookups.list_identities, gallery=gallery, after=after, limit=limit))

    async def galleries(self) -> tuple[GallerySummary, ...]:
        return await self._read(lookups.list_galleries)

    async def edit_identity(
        self, gallery: str, identity: str, name: str | None, metadata: Mapping[str, Any] | None
    ) -> Identity:
        async with self._writing(gallery) as connection:
            return await connection.run_sync(operations.edit_identity, gallery, identity, name, metadata)

    async def merge_identity(self, gallery: str, identity: str, into: str) -> Identity:
        async with self._writing(gallery) as connection:
            return await connection.run_sync(operations.merge_identity, gallery, identity, into)

    async def forget_identity(self, gallery: str, identity: str) -> Receipt:
        return await self._forget(gallery, identity, None)

    async def forget_template(self, gallery: str, identity: str, template_id: str) -> Receipt:
        return await self._forget(gallery, identity, template_id)

    async def forget_gallery(self, gallery: str) -> Receipt:
        return await self._forget(gallery, None, None)

    async def flaws(self) -> tuple[str, ...]:
        return await self._read(_flaws)

    async def records(self, after: Record | None, limit: int) -> tuple[Record, ...]:
        return await self._read(partial(lookups.load_records, after=after, limit=limit))

    async def restore(self, records: Sequence[Record]) -> int:
        galleries = sorted({record.gallery for record in records})  # in one order, so that nobody waits in a ring
        async with self._connected() as connection:
            for gallery in galleries:
                await connection.execute(_turn(gallery))
            new = await connection.run_sync(operations.restore, records)
            for gallery in galleries:
                await connection.run_sync(_recount, gallery)
        return new

    async def _forget(self, gallery: str, identity: str | None, template_id: str | None) -> Receipt:
        async with self._writing(gallery) as connection:
            receipt = await connection.run_sync(operations.forget, gallery, identity, template_id)
            await connection.run_sync(_recount, gallery)
        return receipt

    async def _read(self, work: Callable[[Connection], T]) -> T:
        async with self._connected() as connection:
            return await connection.run_sync(work)

    @asynccontextmanager
    async def _writing(self, gallery: str) -> AsyncIterator[AsyncConnection]:
        async with self._connected() as connection:
            await connection.execute(_turn(gallery))
            yield connection

    @asynccontextmanager
    async def _connected(
        self, connect: Callable[[], AbstractAsyncContextManager[AsyncConnection]] | None = None
    ) -> AsyncIterator[AsyncConnection]:
        """By default inside a transaction, committed at the end. Raises GalleryUnavailable where the database is out of
        reach."""
        try:
            async with (connect or self._engine.begin)() as connection:
                yield connection
        except OperationalError as error:
            raise GalleryUnavailable(_reason(error)) from error


async def _best(
    connection: AsyncConnection, asked: Mapping[str, Any], top_k: int, size: int, indexed: bool
) -> tuple[Candidate, ...]:
    wanted = 4 * top_k
    query = _nearest(indexed, asked["only"] is not None)
    while True:
        rows = (await connection.execute(query, {**asked, "wanted": wanted})).all()
        found = best_identities(
            (Candidate(who, min(max(-apart, -1.0), 1.0), which) for who, which, apart in rows), top_k
        )
        if len(found) >= top_k or len(rows) < wanted or wanted >= size:
            return found
        wanted *= 4  # several templates of few people: look further down


_HELD: Final = select(holdings).where(holdings.c.gallery == bindparam("of"))


@cache
def _nearest(indexed: bool, of_one: bool) -> Select[Any]:
    """Made once: that takes SQLAlchemy as long as PostgreSQL needs for the search of a small gallery."""
    kept = cast(templates.c.vector, PgVector(INDEXED if indexed else None))
    # Minus the inner product, which is the cosine of unit vectors.
    apart = kept.op("<#>", return_type=Float())(bindparam("probe", type_=PgVector()))
    # Of the encoder: somebody may just have begun the gallery anew with another one.
    here = (templates.c.gallery == bindparam("of")) & (templates.c.encoder_id == bindparam("encoder"))
    query = select(templates.c.identity, templates.c.template_id, apart).where(here)
    if indexed:
        query = query.where(func.vector_dims(templates.c.vector) == literal_column(str(INDEXED)))  # as the index says
    if of_one:
        query = query.where(templates.c.identity == bindparam("only"))
    return query.order_by(apart).limit(bindparam("wanted", type_=Integer()))


def _turn(gallery: str) -> Select[Any]:
    """Waits until no other writer to the gallery is at work."""
    return select(func.pg_advisory_xact_lock(func.hashtextextended(gallery, 0)))


def _one_more(new: NewTemplate) -> Any:
    kind = {"gallery": new.gallery, "encoder_id": new.encoder_id, "detector": new.detector}
    more = {"templates": holdings.c.templates + 1}
    return insert(holdings).values(**kind, templates=1).on_conflict_do_update(index_elements=list(kind), set_=more)


def _recount(connection: Connection, gallery: str) -> None:
    """After an erasure; of one gallery only."""
    connection.execute(delete(holdings).where(holdings.c.gallery == gallery))
    kinds = (templates.c.gallery, templates.c.encoder_id, templates.c.detector)
    counted = select(*kinds, cast(func.count(), Integer)).where(templates.c.gallery == gallery).group_by(*kinds)
    connection.execute(insert(holdings).from_select(list(holdings.columns.keys()), counted))


def _flaws(connection: Connection) -> tuple[str, ...]:
    kinds = (templates.c.gallery, templates.c.encoder_id, templates.c.detector)
    counted = {tuple(row) for row in connection.execute(select(*kinds, func.count()).group_by(*kinds))}
    noted = {tuple(row) for row in connection.execute(select(holdings))}
    if counted == noted:
        return ()
    return ("The number of templates noted in `holdings` is not that of those that are there.",)


def _reason(error: DBAPIError) -> str:
    """The database's own first line, without the statement and its values."""
    return str(error.orig).strip().splitlines()[0]
