"""The embedded gallery: one SQLite file with an index in memory. Any number of processes may share the file.

Four threads use the file, each with a connection of its own: one searches, one reads, one writes, one looks at keys. So
neither a lock that another process holds nor a long list or deletion holds up a search, or a look at who may call.
"""

import asyncio
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from alembic.util import CommandError
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, select, text
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from app.callers import COMMAND_LINE
from app.errors import EncoderMismatch, UnknownGallery
from app.gallery.audit import AuditSecret, Event
from app.gallery.base import (
    DEFAULT_GALLERY,
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
from app.gallery.rejection import NewRejection, Rejection, RejectionRecord
from app.gallery.sql import events, reads, rejections, writes
from app.gallery.sql.faults import is_fault, reason
from app.gallery.sql.journal import Journal, SqlAuditLog
from app.gallery.sql.keys import SqlKeys
from app.gallery.sql.migrate import migrate
from app.gallery.sql.tables import changes
from app.gallery.sql.text import unreadable_rows
from app.gallery.sqlite.change_feed import ChangeFeed, GalleryIndex
from app.gallery.sqlite.connections import Database
from app.gallery.sqlite.lane import Lane

T = TypeVar("T")

KEPT_CHANGES: Final = 100_000  # a process that is further behind reads the whole file again
REWRITE: Final = text("UPDATE alembic_version SET version_num = version_num")  # writes a page, changes nothing
SELECT_TEXT: Final = """
SELECT CAST(identities.gallery AS BLOB), CAST(identities.identity AS BLOB), CAST(metadata AS BLOB), min(template_id)
FROM identities LEFT JOIN templates USING (gallery, identity) GROUP BY identities.gallery, identities.identity"""
ERASE_WAIT_MS: Final = 500  # for readers of the log, while the caller of a change waits
ERASE_AGAIN_S: Final = 1.0
ERASED: Final = Erasure(True, "Nothing that was removed is left in the database's file and its log.")
KEPT_FOR_A_READER: Final = Erasure(
    False,
    "Overwritten in the database, but another process is reading the gallery. What was removed stays in the file's "
    "write-ahead log until it stops. The service tries again every second, and at every start.",
)

log = logging.getLogger("facetwin")


class SqliteGallery:
    """Implements app.gallery.base.Store. Open it with `SqliteGallery.open(path)`."""

    def __init__(self, path: Path, limits: GalleryLimits, secret: AuditSecret | None) -> None:
        self._searches, self._reads, self._writes, self._looks = (
            Lane(f"gallery-{name}") for name in ("search", "read", "write", "look")
        )
        self._journal = Journal(secret)
        self.keys, self.audit = SqlKeys(self), SqlAuditLog(secret, self)
        self._path, self._wait_s = path, limits.wait_s
        self._closed = False
        self._remains = False  # whether the log may hold something that was removed
        self._eraser: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        path: Path,
        limits: GalleryLimits | None = None,
        secret: AuditSecret | None = None,
        *,
        allow_unaudited: bool = False,
    ) -> "SqliteGallery":
        """Creates the file, readable by its owner only, or migrates it. Raises GalleryError."""
        gallery = cls(path, limits or GalleryLimits(), secret)
        try:
            await gallery._writes.run(lambda _: gallery._checked(partial(gallery._open, allow_unaudited)))
            await gallery._searches.run(lambda _: gallery._checked(gallery._open_feed))
        except BaseException:
            gallery._close_lanes()
            raise
        return gallery

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            if self._eraser is not None:
                self._eraser.cancel()
            await self._searches.run(lambda _: self._feed.close())
            await self._reads.run(lambda _: self._reader.close())
            await self._looks.run(lambda _: self._looker.close())
            await self._writes.run(lambda _: self._writer.close())
            self._close_lanes()

    async def enroll(self, new: NewTemplate, if_exists: IfExists, *, by: str = COMMAND_LINE) -> Template:
        return (await self.enroll_all((new,), if_exists, by=by))[0]

    async def enroll_all(
        self, new: Sequence[NewTemplate], if_exists: IfExists, *, by: str = COMMAND_LINE
    ) -> tuple[Template, ...]:
        work = partial(writes.enroll, all_new=new, if_exists=if_exists)
        result = await self.change(work, by, lambda result: events.of_enrollment(new[0], result))
        if result.erased:
            await self._erase()
        return result.templates

    async def search(self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int) -> SearchResult:
        return await self._search_lane(partial(self._search, gallery, vector, encoder_id, top_k))

    async def compare(
        self, gallery: str, identity: str, vector: NDArray[np.float32], encoder_id: str
    ) -> IdentityComparison:
        return await self._search_lane(partial(self._compare, gallery, identity, vector, encoder_id))

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
        work = partial(rejections.add_rejection, new=new)
        result = await self.change(work, by, lambda result: events.of_rejection(new, result))
        return result.rejection

    async def list_rejections(self, gallery: str, identity: str) -> tuple[Rejection, ...]:
        return await self._read(partial(rejections.list_rejections, gallery=gallery, identity=identity))

    async def delete_rejection(self, gallery: str, identity: str, rejection_id: str, *, by: str = COMMAND_LINE) -> None:
        work = partial(rejections.delete_rejection, gallery=gallery, identity=identity, rejection_id=rejection_id)
        await self.change(work, by, lambda _: events.of_forgotten_rejection(gallery, identity))
        await self._erase()

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
        work = partial(writes.edit_identity, gallery=gallery, identity=identity, name=name, metadata=metadata)
        edited = await self.change(work, by, lambda _: events.of_edit(gallery, identity, name))
        await self._erase()
        return edited

    async def merge_identity(self, gallery: str, identity: str, into: str, *, by: str = COMMAND_LINE) -> Identity:
        work = partial(writes.merge_identity, gallery=gallery, identity=identity, into=into)
        merged = await self.change(work, by, lambda _: events.of_merge(gallery, identity, into))
        await self._erase()
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
        def change(connection: Connection) -> tuple[DeletionReceipt, ...]:
            return writes.purge(connection, writes.find_expired(connection, expired_by), expired_by, dry_run=dry_run)

        try:
            receipts = await self.change(change, by, events.of_purge)
        except writes.DryRun as undone:
            return undone.receipts
        await self._erase()
        return receipts

    async def integrity_errors(self) -> tuple[str, ...]:
        return await self._read(_integrity_errors)

    async def list_records(self, after: TemplateRecord | None, limit: int) -> tuple[TemplateRecord, ...]:
        return await self._read(partial(reads.list_records, after=after, limit=limit))

    async def import_records(self, records: Sequence[TemplateRecord], *, by: str = COMMAND_LINE) -> int:
        def work(connection: Connection) -> Sequence[TemplateRecord]:
            return writes.import_records(connection, records)

        added = await self.change(work, by, events.of_import)
        return len(added)

    async def list_rejection_records(self, after: RejectionRecord | None, limit: int) -> tuple[RejectionRecord, ...]:
        return await self._read(partial(rejections.list_rejection_records, after=after, limit=limit))

    async def import_rejections(self, records: Sequence[RejectionRecord], *, by: str = COMMAND_LINE) -> int:
        def work(connection: Connection) -> Sequence[RejectionRecord]:
            return rejections.import_rejections(connection, records)

        added = await self.change(work, by, events.of_imported_rejections)
        return len(added)

    async def check(self) -> None:
        await self._search_lane(self._feed.catch_up)
        await self._write(lambda connection: connection.execute(REWRITE))

    async def look(self, query: Callable[[Connection], T]) -> T:
        """Runs a query that must not wait for longer ones."""
        return await self._in_transaction(self._looks, self._looker, query)

    async def change(self, work: Callable[[Connection], T], by: str, describe: Callable[[T], Iterable[Event]]) -> T:
        """Runs work in one transaction with the audit of it."""

        def audited(connection: Connection) -> T:
            result = work(connection)
            self._journal.append(connection, by, describe(result))
            return result

        return await self._write(audited)

    async def _read(self, query: Callable[[Connection], T]) -> T:
        return await self._in_transaction(self._reads, self._reader, query)

    async def _write(self, change: Callable[[Connection], T]) -> T:
        return await self._in_transaction(self._writes, self._writer, change)

    async def _in_transaction(self, lane: Lane, database: Database, work: Callable[[Connection], T]) -> T:
        def run(abandoned: threading.Event) -> T:
            with database.transaction(abandoned, read_only=database is not self._writer) as connection:
                return work(connection)

        return await lane.run(lambda abandoned: self._checked(partial(run, abandoned)))

    async def _search_lane(self, work: Callable[[], T]) -> T:
        return await self._searches.run(lambda _: self._checked(work))

    async def _delete(self, gallery: str, identity: str | None, template_id: str | None, by: str) -> DeletionReceipt:
        def work(connection: Connection) -> DeletionReceipt:
            return writes.delete_templates(connection, gallery, identity, template_id)

        receipt = await self.change(work, by, lambda done: events.of_deletion(identity, template_id, done))
        await self._erase()
        return receipt

    def erasure(self) -> Erasure:
        return KEPT_FOR_A_READER if self._remains else ERASED

    async def erase_remains(self) -> Erasure:
        await self._erase()
        return self.erasure()

    async def _erase(self) -> None:
        """Removes from memory and from the log what a change removed, now or as soon as possible.

        The change is stored. So whatever goes wrong here, or is cancelled, must not look as if it were not.
        """
        self._remains = True
        try:
            await self._search_lane(self._feed.catch_up)  # overwrites the vectors in memory
            self._remains = not await self._writes.run(lambda _: self._checked(self._empty_log))
        except GalleryError as error:
            log.error("not erased yet", extra={"reason": str(error)})
        except asyncio.CancelledError:
            log.warning("not erased yet", extra={"reason": "the caller no longer waits"})
        if self._remains and (self._eraser is None or self._eraser.done()):
            self._eraser = asyncio.ensure_future(self._erase_later())

    async def _erase_later(self) -> None:
        while self._remains and not self._closed:
            await asyncio.sleep(ERASE_AGAIN_S)
            with suppress(GalleryError):
                self._remains = not await self._writes.run(lambda _: self._checked(self._empty_log))

    def _close_lanes(self) -> None:
        for lane in (self._searches, self._reads, self._writes, self._looks):
            lane.close()

    # The methods below run on the gallery's threads.

    def _checked(self, work: Callable[[], T]) -> T:
        """Runs `work`. Raises GalleryError if the file is damaged, locked or not writable."""
        try:
            return work()
        except (SQLAlchemyError, sqlite3.DatabaseError) as error:
            # sqlite3 has no class for damage: a malformed page is a plain DatabaseError.
            if not (is_fault(error) or type(error) in (DatabaseError, sqlite3.DatabaseError)):
                raise
            raise GalleryError(f"The gallery {self._path} is unusable: {reason(error)}.") from error

    def _open(self, allow_unaudited: bool) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise GalleryError(f"The gallery {self._path} cannot be written: {error.strerror}.") from error
        try:
            self._writer, self._reader, self._looker = (Database(self._path, self._wait_s) for _ in range(3))
            with self._writer.transaction(threading.Event(), read_only=False) as connection:
                migrate(connection)
                self._journal.check(connection, allow_unaudited=allow_unaudited)
                newest = connection.scalar(select(func.max(changes.c.seq))) or 0
                connection.execute(delete(changes).where(changes.c.seq <= newest - KEPT_CHANGES))
            self._remains = not self._empty_log()  # a process that was killed may have left something
        except CommandError as error:
            raise GalleryError(
                f"A newer facetwin wrote the gallery {self._path}; upgrade this installation. {error}"
            ) from error
        except GalleryError:
            raise
        except Exception as error:
            raise GalleryError(f"The gallery {self._path} cannot be opened: {reason(error)}.") from error

    def _open_feed(self) -> None:
        try:
            self._feed = ChangeFeed(self._path, self._wait_s)
            self._feed.catch_up()
        except Exception as error:
            raise GalleryError(f"The gallery {self._path} cannot be opened: {reason(error)}.") from error

    def _empty_log(self) -> bool:
        """Empties the write-ahead log, in which old pages are. Returns whether no reader prevented that.

        secure_delete has overwritten what was removed in the database itself.
        """
        with self._writer.engine.connect() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={ERASE_WAIT_MS}")
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={int(self._wait_s * 1000)}")
            cursor.close()
        return not busy

    def _search(self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int) -> SearchResult:
        index = self._current_index(gallery, encoder_id)
        if index is None:
            if gallery != DEFAULT_GALLERY and not self._feed.is_enrolled(gallery):
                raise UnknownGallery(gallery)
            return SearchResult((), 0, frozenset())
        candidates = self._feed.search(gallery, encoder_id, vector, top_k)
        return SearchResult(candidates, len(index.vectors), frozenset(index.detectors))

    def _compare(self, gallery: str, identity: str, vector: NDArray[np.float32], encoder_id: str) -> IdentityComparison:
        self._current_index(gallery, encoder_id)
        return self._feed.compare(gallery, encoder_id, vector, identity)

    def _current_index(self, gallery: str, encoder_id: str) -> GalleryIndex | None:
        """The gallery's index with every change, None if it has no template. Raises EncoderMismatch."""
        self._feed.catch_up()
        index = self._feed.indexes.get(gallery)
        if index is None or not index.encoders:
            return None
        if set(index.encoders) != {encoder_id}:
            raise EncoderMismatch(gallery)
        return index


def _integrity_errors(connection: Connection) -> tuple[str, ...]:
    damage = [line for (line,) in connection.exec_driver_sql("PRAGMA integrity_check") if line != "ok"]
    orphans = len(connection.exec_driver_sql("PRAGMA foreign_key_check").all())
    # As bytes: text that is not UTF-8 cannot be read as text at all.
    rows = connection.exec_driver_sql(SELECT_TEXT).all()
    unreadable = unreadable_rows(tuple(row) for row in rows)
    return (*damage, *((f"{orphans} templates belong to no identity.",) if orphans else ()), *unreadable)
