"""The gallery of several services: PostgreSQL with pgvector keeps, searches and erases; nothing is in memory here.

`gallery` is in every key, so that the tables can be distributed by it. Writers to one gallery take turns, as in SQLite,
by an advisory lock; those to different galleries do not wait for each other.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
from alembic.util import CommandError
from numpy.typing import NDArray
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import Connection, Integer, Select, cast, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app.errors import EncoderMismatch, GalleryUnavailable, UnknownGallery
from app.gallery import operations
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
from app.gallery.migrate import migrate
from app.gallery.ranking import best_identities
from app.gallery.tables import holdings, templates

T = TypeVar("T")

EXACT: Final = 20_000  # templates of a gallery up to which every one is compared
INDEXED: Final = 128  # numbers of the vectors that have an index; others are compared one by one
LOOKED_AT: Final = 200  # templates that the index compares at least: hnsw.ef_search
MIGRATING: Final = 7_270_727  # names the lock under which one service migrates and the others wait


class PostgresGallery:
    """Implements app.gallery.base.Gallery. Open it with `PostgresGallery.open(url)`."""

    def __init__(self, url: str) -> None:
        # Times are UTC without saying so, as in SQLite.
        options = {"options": "-c timezone=UTC", "connect_timeout": 10}
        address = url.replace("postgresql://", "postgresql+psycopg://", 1)
        self._engine = create_async_engine(address, pool_pre_ping=True, connect_args=options, hide_parameters=True)

    @classmethod
    async def open(cls, url: str) -> "PostgresGallery":
        """Makes the tables or migrates them. Raises GalleryError, which never tells the password."""
        gallery = cls(url)
        try:
            async with gallery._engine.begin() as connection:
                await connection.execute(select(func.pg_advisory_xact_lock(MIGRATING)))
                await connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
                await connection.run_sync(migrate)
        except CommandError as error:
            await gallery.close()
            raise GalleryError(f"The gallery's tables were made by a newer facetwin: {error}") from error
        except DBAPIError as error:
            await gallery.close()
            raise GalleryError(f"The PostgreSQL gallery cannot be opened: {_reason(error)}") from error
        return gallery

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
        async with self._connected() as connection:
            held = (await connection.execute(select(holdings).where(holdings.c.gallery == gallery))).all()
            if not held:
                if gallery != DEFAULT_GALLERY:
                    raise UnknownGallery(gallery)
                return SearchResult((), 0, frozenset())
            if {row.encoder_id for row in held} != {encoder_id}:
                raise EncoderMismatch(gallery)
            size = sum(row.templates for row in held)
            indexed = only is None and size > EXACT and len(vector) == INDEXED
            if indexed:
                await connection.execute(_LOOK_FURTHER)
            found = await _best(connection, gallery, vector, top_k, only, size, indexed)
        return SearchResult(found, size, frozenset(row.detector for row in held))

    async def identity(self, gallery: str, identity: str) -> Identity:
        return await self._read(partial(operations.find_identity, gallery=gallery, identity=identity))

    async def identities(self, gallery: str, after: str | None, limit: int) -> IdentityPage:
        return await self._read(partial(operations.list_identities, gallery=gallery, after=after, limit=limit))

    async def galleries(self) -> tuple[GallerySummary, ...]:
        return await self._read(operations.list_galleries)

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

    async def records(self, after: Record | None, limit: int) -> tuple[Record, ...]:
        return await self._read(partial(operations.load_records, after=after, limit=limit))

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
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        """Inside a transaction, committed at the end. Raises GalleryUnavailable where the database is out of reach."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise GalleryUnavailable(_reason(error)) from error


# The index alone would return the nearest of all galleries: it goes on until enough are of this one.
_LOOK_FURTHER: Final = text(
    f"SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '{LOOKED_AT}', true)"
)


async def _best(
    connection: AsyncConnection,
    gallery: str,
    vector: NDArray[np.float32],
    top_k: int,
    only: str | None,
    size: int,
    indexed: bool,
) -> tuple[Candidate, ...]:
    """The best template of each of the `top_k` most similar identities, most similar first; equal ones by name."""
    wanted = 4 * top_k
    while True:
        query = _nearest(gallery, vector, only, wanted, indexed)
        rows = (await connection.execute(query)).all()
        found = best_identities(
            (Candidate(row.identity, float(np.clip(-row.apart, -1.0, 1.0)), row.template_id) for row in rows), top_k
        )
        if len(found) >= top_k or len(rows) < wanted or wanted >= size:
            return found
        wanted *= 4  # several templates of few people: look further down


def _nearest(gallery: str, vector: NDArray[np.float32], only: str | None, wanted: int, indexed: bool) -> Select[Any]:
    kept: Any = cast(templates.c.vector, VECTOR(INDEXED) if indexed else VECTOR())
    apart = kept.max_inner_product(vector)  # minus the cosine of unit vectors
    query = select(templates.c.identity, templates.c.template_id, apart.label("apart"))
    query = query.where(templates.c.gallery == gallery)
    if indexed:
        query = query.where(func.vector_dims(templates.c.vector) == INDEXED)  # as the index says
    if only is not None:
        query = query.where(templates.c.identity == only)
    return query.order_by(apart).limit(wanted)


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


def _reason(error: DBAPIError) -> str:
    """The database's own first line, without the statement and its values."""
    return str(error.orig).strip().splitlines()[0]
