"""A gallery for several services: PostgreSQL with pgvector stores and searches; no process keeps templates in memory.

Every key contains `gallery`, so the tables can be distributed by it. An advisory lock lets one writer at a time into a
gallery; writers to different galleries do not wait for each other.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
from alembic.util import CommandError
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.callers import COMMAND_LINE
from app.errors import EncoderMismatch, UnknownGallery
from app.gallery.audit import AuditSecret, Event
from app.gallery.base import (
    DEFAULT_GALLERY,
    Candidate,
    DeletionReceipt,
    Erasure,
    GalleryError,
    GalleryLimits,
    GallerySummary,
    Identity,
    IdentityComparison,
    IdentityPage,
    IfExists,
    NewTemplate,
    SearchResult,
    Template,
    TemplatePage,
    TemplateRecord,
)
from app.gallery.postgres import queries
from app.gallery.postgres.connections import open_engine
from app.gallery.postgres.transactions import ConnectionLost, autocommit, transaction
from app.gallery.ranking import add_rejections, best_identities
from app.gallery.rejection import NewRejection, Rejection, RejectionRecord
from app.gallery.sql import events, reads, rejections, writes
from app.gallery.sql.faults import reason
from app.gallery.sql.journal import Journal, SqlAuditLog
from app.gallery.sql.keys import SqlKeys
from app.gallery.sql.migrate import migrate

T = TypeVar("T")

EXACT_LIMIT: Final = 50_000  # templates in a gallery up to which a search compares all of them
REWRITE: Final = text("UPDATE alembic_version SET version_num = version_num")  # writes a row, changes nothing
SHARED_TABLES: Final = "/"  # taken like the lock of a gallery, to change what belongs to none; no gallery has this name
MIGRATION_LOCK: Final = 7_270_727  # key of the advisory lock under which one service migrates and others wait
INDEX_LOCK: Final = 7_270_728  # under which one service creates an index
KEPT_IN_LOG: Final = Erasure(
    False,
    "The tables hold nothing that was removed. PostgreSQL's write-ahead log, its archive and its replicas do, until "
    "the log's files are recycled and overwritten.",
)
KEPT_BY_POSTGRES: Final = Erasure(
    False,
    "Not visible to anybody, but PostgreSQL keeps removed rows in its tables' files until they are vacuumed and the "
    "space is used again, and in its write-ahead log until that is recycled. `facetwin gallery erase` rewrites the "
    "tables at once.",
)


class PostgresGallery:
    """Implements app.gallery.base.Store. Open it with `PostgresGallery.open(url)`."""

    def __init__(self, url: str, limits: GalleryLimits, journal: Journal) -> None:
        self._journal = journal
        self.keys, self.audit = SqlKeys(self), SqlAuditLog(journal.secret, self)
        self._indexed: set[int] = set()  # dimensions that certainly have an index, or can have none
        searching = max(limits.connections // 2, 1)
        self._engine = open_engine(url, limits, max(limits.connections - searching, 1), vectors=True)
        # Connections of their own, so that writers waiting for a lock do not hold up searches. A search runs single
        # statements; a transaction around them would only cost time.
        self._search_engine = open_engine(url, limits, searching, vectors=True).execution_options(
            isolation_level="AUTOCOMMIT"
        )

    @classmethod
    async def open(
        cls,
        url: str,
        limits: GalleryLimits | None = None,
        secret: AuditSecret | None = None,
        *,
        allow_unaudited: bool = False,
    ) -> "PostgresGallery":
        """Creates or migrates the tables. Raises GalleryError; its message never contains the password."""
        limits, journal = limits or GalleryLimits(), Journal(secret)
        engine = open_engine(url, replace(limits, statement_s=None), 1, vectors=False)  # the type may not exist yet
        try:
            async with engine.begin() as connection:
                await connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
                await connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
                await connection.run_sync(migrate)
                await connection.run_sync(partial(journal.check, allow_unaudited=allow_unaudited))
        except CommandError as error:
            raise GalleryError(
                f"A newer facetwin wrote the gallery's tables; upgrade this installation. {error}"
            ) from error
        except SQLAlchemyError as error:
            raise GalleryError(f"The PostgreSQL gallery cannot be opened: {reason(error)}") from error
        finally:
            await engine.dispose()
        return cls(url, limits, journal)

    def erasure(self) -> Erasure:
        return KEPT_BY_POSTGRES

    async def erase_remains(self) -> Erasure:
        async with autocommit(self._search_engine) as connection:
            await connection.execute(text("SET statement_timeout = 0"))
            # FULL: a plain vacuum frees the space of removed rows, but does not overwrite it.
            await connection.execute(text("VACUUM (FULL) identities, templates, rejections, holdings"))
            await connection.invalidate()  # for the sake of the setting
        return KEPT_IN_LOG

    async def check(self) -> None:
        async with autocommit(self._search_engine) as connection:
            await connection.execute(select(1))
        async with transaction(self._engine) as connection:
            await connection.execute(REWRITE)

    async def close(self) -> None:
        await self._engine.dispose()
        await self._search_engine.dispose()

    async def enroll(self, new: NewTemplate, if_exists: IfExists, *, by: str = COMMAND_LINE) -> Template:
        return (await self.enroll_all((new,), if_exists, by=by))[0]

    async def enroll_all(
        self, new: Sequence[NewTemplate], if_exists: IfExists, *, by: str = COMMAND_LINE
    ) -> tuple[Template, ...]:
        await self._create_indexes({len(each.vector) for each in new})
        async with self._write(new[0].gallery) as connection:
            result = await connection.run_sync(writes.enroll, new, if_exists)
            if result.replaced:
                await connection.run_sync(queries.recount, new[0].gallery)
            elif result.added:
                for each in new:
                    await connection.execute(queries.increment_count(new[0].gallery, each))
            await self._record(connection, by, events.of_enrollment(new[0], result))
        return result.templates

    async def search(self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int) -> SearchResult:
        return await self._again_if_lost(partial(self._search, gallery, vector, encoder_id, top_k))

    async def compare(
        self, gallery: str, identity: str, vector: NDArray[np.float32], encoder_id: str
    ) -> IdentityComparison:
        return await self._again_if_lost(partial(self._compare, gallery, identity, vector, encoder_id))

    async def _again_if_lost(self, probe: Callable[[], Awaitable[T]]) -> T:
        try:
            return await probe()
        except ConnectionLost:  # the server restarted since the connection was used last
            return await probe()

    async def _search(self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int) -> SearchResult:
        async with autocommit(self._search_engine) as connection:
            counts = (await connection.execute(queries.COUNTS, {"gallery": gallery})).all()
            if not counts:
                if gallery != DEFAULT_GALLERY:
                    raise UnknownGallery(gallery)
                return SearchResult((), 0, frozenset())
            if {row.encoder_id for row in counts} != {encoder_id}:
                raise EncoderMismatch(gallery)
            size = sum(row.templates for row in counts)
            use_index = size > EXACT_LIMIT and len(vector) <= queries.MAX_INDEXED_DIMENSION
            parameters = {"gallery": gallery, "encoder": encoder_id, "probe": vector}
            nearest = await _find_nearest(connection, parameters, top_k, size, use_index)
            candidates = await _add_rejections(connection, parameters, nearest)
        return SearchResult(candidates, size, frozenset(row.detector for row in counts))

    async def _compare(
        self, gallery: str, identity: str, vector: NDArray[np.float32], encoder_id: str
    ) -> IdentityComparison:
        async with autocommit(self._search_engine) as connection:
            await connection.run_sync(reads.check_encoder, gallery, encoder_id)
            parameters = {"gallery": gallery, "encoder": encoder_id, "only": identity, "probe": vector}
            rows = (await connection.execute(queries.identity_query(), parameters)).all()
            if not rows:
                await connection.run_sync(reads.check_identity, gallery, identity)
                return IdentityComparison(None, 0, frozenset())
            (best,) = await _add_rejections(connection, parameters, best_identities(map(_candidate, rows), 1))
        return IdentityComparison(best, len(rows), frozenset(row.detector for row in rows))

    async def get_identity(self, gallery: str, identity: str) -> Identity:
        return await self._read(partial(reads.find_identity, gallery=gallery, identity=identity))

    async def list_identities(self, gallery: str, after: str | None, limit: int, prefix: str = "") -> IdentityPage:
        return await self._read(
            partial(reads.list_identities, gallery=gallery, after=after, limit=limit, prefix=prefix)
        )

    async def list_templates(self, gallery: str, identity: str, after: str | None, limit: int) -> TemplatePage:
        return await self._read(
            partial(reads.list_templates, gallery=gallery, identity=identity, after=after, limit=limit)
        )

    async def add_rejection(self, new: NewRejection, *, by: str = COMMAND_LINE) -> Rejection:
        async with self._write(new.gallery) as connection:
            result = await connection.run_sync(rejections.add_rejection, new)
            await self._record(connection, by, events.of_rejection(new, result))
        return result.rejection

    async def list_rejections(self, gallery: str, identity: str) -> tuple[Rejection, ...]:
        return await self._read(partial(rejections.list_rejections, gallery=gallery, identity=identity))

    async def delete_rejection(self, gallery: str, identity: str, rejection_id: str, *, by: str = COMMAND_LINE) -> None:
        async with self._write(gallery) as connection:
            await connection.run_sync(rejections.delete_rejection, gallery, identity, rejection_id)
            await self._record(connection, by, events.of_forgotten_rejection(gallery, identity))

    async def list_galleries(self) -> tuple[GallerySummary, ...]:
        return await self._read(reads.list_galleries)

    async def edit_identity(
        self,
        gallery: str,
        identity: str,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        *,
        by: str = COMMAND_LINE,
    ) -> Identity:
        async with self._write(gallery) as connection:
            edited = await connection.run_sync(writes.edit_identity, gallery, identity, name, metadata)
            await self._record(connection, by, events.of_edit(gallery, identity, name))
        return edited

    async def merge_identity(self, gallery: str, identity: str, into: str, *, by: str = COMMAND_LINE) -> Identity:
        async with self._write(gallery) as connection:
            merged = await connection.run_sync(writes.merge_identity, gallery, identity, into)
            await self._record(connection, by, events.of_merge(gallery, identity, into))
        return merged

    async def delete_identity(self, gallery: str, identity: str, *, by: str = COMMAND_LINE) -> DeletionReceipt:
        return await self._delete(gallery, identity, None, by)

    async def delete_template(
        self, gallery: str, identity: str, template_id: str, *, by: str = COMMAND_LINE
    ) -> DeletionReceipt:
        return await self._delete(gallery, identity, template_id, by)

    async def delete_gallery(self, gallery: str, *, by: str = COMMAND_LINE) -> DeletionReceipt:
        return await self._delete(gallery, None, None, by)

    async def purge(
        self, expired_by: datetime, *, dry_run: bool, by: str = COMMAND_LINE
    ) -> tuple[DeletionReceipt, ...]:
        try:
            async with transaction(self._engine) as connection:
                galleries = await connection.run_sync(writes.find_expired, expired_by)
                for gallery in galleries:  # by name, to prevent deadlocks
                    await connection.execute(queries.lock(gallery))
                receipts = await connection.run_sync(partial(writes.purge, dry_run=dry_run), galleries, expired_by)
                for gallery in galleries:
                    await connection.run_sync(queries.recount, gallery)
                await self._record(connection, by, events.of_purge(receipts))
        except writes.DryRun as undone:
            return undone.receipts
        return receipts

    async def integrity_errors(self) -> tuple[str, ...]:
        return await self._read(queries.find_integrity_errors)

    async def list_records(self, after: TemplateRecord | None, limit: int) -> tuple[TemplateRecord, ...]:
        return await self._read(partial(reads.list_records, after=after, limit=limit))

    async def import_records(self, records: Sequence[TemplateRecord], *, by: str = COMMAND_LINE) -> int:
        galleries = sorted({record.gallery for record in records})  # locked in one order, to prevent deadlocks
        await self._create_indexes({len(record.vector) for record in records})
        async with transaction(self._engine) as connection:
            for gallery in galleries:
                await connection.execute(queries.lock(gallery))
            new = await connection.run_sync(writes.import_records, records)
            for gallery in galleries:
                await connection.run_sync(queries.recount, gallery)
            await self._record(connection, by, events.of_import(new))
        return len(new)

    async def list_rejection_records(self, after: RejectionRecord | None, limit: int) -> tuple[RejectionRecord, ...]:
        return await self._read(partial(rejections.list_rejection_records, after=after, limit=limit))

    async def import_rejections(self, records: Sequence[RejectionRecord], *, by: str = COMMAND_LINE) -> int:
        async with transaction(self._engine) as connection:
            for gallery in sorted({record.gallery for record in records}):
                await connection.execute(queries.lock(gallery))
            new = await connection.run_sync(rejections.import_rejections, records)
            await self._record(connection, by, events.of_imported_rejections(new))
        return len(new)

    async def _create_indexes(self, dimensions: Set[int]) -> None:
        """Creates the indexes of these dimensions that do not exist yet.

        In a transaction before that of the write: creating one waits for every other writer to the table.
        """
        for dimension in sorted(dimensions - self._indexed):
            if dimension <= queries.MAX_INDEXED_DIMENSION:
                async with transaction(self._engine) as connection:
                    if await connection.scalar(select(func.to_regclass(queries.index_name(dimension)))) is None:
                        await connection.execute(select(func.pg_advisory_xact_lock(INDEX_LOCK)))
                        await connection.execute(queries.create_index(dimension))
            self._indexed.add(dimension)

    async def _delete(self, gallery: str, identity: str | None, template_id: str | None, by: str) -> DeletionReceipt:
        async with self._write(gallery) as connection:
            receipt = await connection.run_sync(writes.delete_templates, gallery, identity, template_id)
            await connection.run_sync(queries.recount, gallery)
            await self._record(connection, by, events.of_deletion(identity, template_id, receipt))
        return receipt

    async def look(self, query: Callable[[Connection], T]) -> T:
        """Runs a query that must not wait for longer ones."""
        async with autocommit(self._search_engine) as connection:
            return await connection.run_sync(query)

    async def change(self, work: Callable[[Connection], T], by: str, describe: Callable[[T], Iterable[Event]]) -> T:
        """Runs work on what belongs to no gallery, in one transaction with the audit of it."""
        async with self._write(SHARED_TABLES) as connection:
            result = await connection.run_sync(work)
            await self._record(connection, by, describe(result))
        return result

    async def _record(self, connection: AsyncConnection, by: str, done: Iterable[Event]) -> None:
        await connection.run_sync(self._journal.append, by, done)

    async def _read(self, query: Callable[[Connection], T]) -> T:
        async with transaction(self._engine) as connection:
            return await connection.run_sync(query)

    @asynccontextmanager
    async def _write(self, gallery: str) -> AsyncIterator[AsyncConnection]:
        """A transaction that holds the gallery's lock."""
        async with transaction(self._engine) as connection:
            await connection.execute(queries.lock(gallery))
            yield connection


async def _find_nearest(
    connection: AsyncConnection, parameters: Mapping[str, Any], top_k: int, size: int, use_index: bool
) -> tuple[Candidate, ...]:
    limit = 4 * top_k
    query = queries.search_query(len(parameters["probe"]) if use_index else None)
    while True:
        rows = (await connection.execute(query, {**parameters, "limit": limit})).all()
        candidates = best_identities(map(_candidate, rows), top_k)
        if len(candidates) >= top_k or len(rows) < limit or limit >= size:
            return candidates
        limit *= 4  # the rows are many templates of few people


async def _add_rejections(
    connection: AsyncConnection, parameters: Mapping[str, Any], candidates: Sequence[Candidate]
) -> tuple[Candidate, ...]:
    names = [each.identity for each in candidates]
    rows = await connection.execute(queries.rejections_query(), {**parameters, "names": names})
    return add_rejections(candidates, parameters["probe"], [(row.identity, row.vector) for row in rows])


def _candidate(row: Sequence[Any]) -> Candidate:
    """A row of identity, template id, negative cosine and more."""
    return Candidate(row[0], min(max(-row[2], -1.0), 1.0), row[1])
