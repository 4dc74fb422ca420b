"""The embedded gallery: one SQLite file with an index in memory. Any number of processes may share the file.

All operations run in order on one thread of the gallery, so the event loop never waits for the disk.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from alembic.util import CommandError
from numpy.typing import NDArray
from sqlalchemy import Connection, create_engine, delete, event, func, select
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.pool import StaticPool

from app.errors import EncoderMismatch, UnknownGallery
from app.gallery.base import (
    DEFAULT_GALLERY,
    DeletionReceipt,
    GalleryError,
    GallerySummary,
    Identity,
    IdentityPage,
    IfExists,
    NewTemplate,
    SearchResult,
    Template,
    TemplateRecord,
)
from app.gallery.sql import reads, writes
from app.gallery.sql.migrate import migrate
from app.gallery.sql.tables import changes
from app.gallery.sqlite.change_feed import BUSY_SECONDS, ChangeFeed

T = TypeVar("T")

KEPT_CHANGES: Final = 100_000  # a process that is further behind reads the whole file again


class SqliteGallery:
    """Implements app.gallery.base.Gallery. Open it with `SqliteGallery.open(path)`."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gallery")
        self._path = path
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> "SqliteGallery":
        """Creates the file, readable by its owner only, or migrates it. Raises GalleryError."""
        gallery = cls(path)
        try:
            await gallery._run(gallery._open)
        except BaseException:
            gallery._thread.shutdown()
            raise
        return gallery

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._run(self._close)
            self._thread.shutdown()

    async def enroll(self, new: NewTemplate, if_exists: IfExists) -> Template:
        return (await self._write(partial(writes.enroll, new=new, if_exists=if_exists))).template

    async def search(
        self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int, only: str | None = None
    ) -> SearchResult:
        return await self._run(partial(self._search, gallery, vector, encoder_id, top_k, only))

    async def get_identity(self, gallery: str, identity: str) -> Identity:
        return await self._read(partial(reads.find_identity, gallery=gallery, identity=identity))

    async def list_identities(self, gallery: str, after: str | None, limit: int) -> IdentityPage:
        return await self._read(partial(reads.list_identities, gallery=gallery, after=after, limit=limit))

    async def list_galleries(self) -> tuple[GallerySummary, ...]:
        return await self._read(reads.list_galleries)

    async def edit_identity(
        self, gallery: str, identity: str, name: str | None, metadata: Mapping[str, Any] | None
    ) -> Identity:
        return await self._write(
            partial(writes.edit_identity, gallery=gallery, identity=identity, name=name, metadata=metadata)
        )

    async def merge_identity(self, gallery: str, identity: str, into: str) -> Identity:
        return await self._write(partial(writes.merge_identity, gallery=gallery, identity=identity, into=into))

    async def delete_identity(self, gallery: str, identity: str) -> DeletionReceipt:
        return await self._run(partial(self._delete, gallery, identity, None))

    async def delete_template(self, gallery: str, identity: str, template_id: str) -> DeletionReceipt:
        return await self._run(partial(self._delete, gallery, identity, template_id))

    async def delete_gallery(self, gallery: str) -> DeletionReceipt:
        return await self._run(partial(self._delete, gallery, None, None))

    async def integrity_errors(self) -> tuple[str, ...]:
        return await self._read(_integrity_errors)

    async def list_records(self, after: TemplateRecord | None, limit: int) -> tuple[TemplateRecord, ...]:
        return await self._read(partial(reads.list_records, after=after, limit=limit))

    async def import_records(self, records: Sequence[TemplateRecord]) -> int:
        return await self._write(partial(writes.import_records, records=records))

    async def _read(self, query: Callable[[Connection], T]) -> T:
        return await self._run(partial(self._in_transaction, query, read_only=True))

    async def _write(self, change: Callable[[Connection], T]) -> T:
        return await self._run(partial(self._in_transaction, change, read_only=False))

    async def _run(self, work: Callable[[], T]) -> T:
        # Shielded: a cancelled caller must not cancel a write that is queued or running.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._checked, work))

    # The methods below run on the gallery's thread.

    def _checked(self, work: Callable[[], T]) -> T:
        """Runs `work`. Raises GalleryError if the file is damaged, locked or not writable."""
        try:
            return work()
        except (DataError, IntegrityError, NotSupportedError, ProgrammingError):  # faults of ours, not of the file
            raise
        except (DatabaseError, sqlite3.DatabaseError) as error:
            raise GalleryError(f"The gallery {self._path} is unusable: {_reason(error)}.") from error

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise GalleryError(f"The gallery {self._path} cannot be written: {error.strerror}.") from error
        self._engine = create_engine(
            f"sqlite:///{self._path}",
            poolclass=StaticPool,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        )
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        try:
            with self._engine.begin() as connection:
                migrate(connection)
                newest = connection.scalar(select(func.max(changes.c.seq))) or 0
                connection.execute(delete(changes).where(changes.c.seq <= newest - KEPT_CHANGES))
            self._feed = ChangeFeed(self._path)
            self._feed.catch_up()
        except CommandError as error:
            raise GalleryError(
                f"A newer facetwin wrote the gallery {self._path}; upgrade this installation. {error}"
            ) from error
        except Exception as error:
            raise GalleryError(f"The gallery {self._path} cannot be opened: {_reason(error)}.") from error

    def _close(self) -> None:
        self._feed.close()
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, read_only: bool) -> Iterator[Connection]:
        options = {"read_only": read_only}
        with self._engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    def _in_transaction(self, work: Callable[[Connection], T], *, read_only: bool) -> T:
        with self._transaction(read_only=read_only) as connection:
            return work(connection)

    def _search(
        self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int, only: str | None
    ) -> SearchResult:
        self._feed.catch_up()
        index = self._feed.indexes.get(gallery)
        if index is None or not index.encoders:
            if gallery != DEFAULT_GALLERY:
                raise UnknownGallery(gallery)
            return SearchResult((), 0, frozenset())
        if set(index.encoders) != {encoder_id}:
            raise EncoderMismatch(gallery)
        if only is None:
            candidates = self._feed.search(gallery, vector, top_k)
        else:
            candidates = self._feed.search_identity(gallery, encoder_id, vector, only)
        return SearchResult(candidates, len(index.vectors), frozenset(index.detectors))

    def _delete(self, gallery: str, identity: str | None, template_id: str | None) -> DeletionReceipt:
        with self._transaction(read_only=False) as connection:
            receipt = writes.delete_templates(connection, gallery, identity, template_id)
        # secure_delete overwrote the pages in the database; the checkpoint removes old ones from the write-ahead log.
        with self._engine.connect() as connection:
            cursor = connection.connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.close()
        self._feed.catch_up()
        return receipt


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # _begin starts transactions, not the sqlite3 module
    cursor = connection.cursor()
    _enable_write_ahead_log(cursor)
    cursor.execute("PRAGMA synchronous=FULL")  # acknowledged changes are on disk
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # deleted templates are overwritten
    cursor.close()


def _enable_write_ahead_log(cursor: sqlite3.Cursor) -> None:
    # While another process creates the file, SQLite refuses this at once, whatever the connection's timeout. So wait.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _integrity_errors(connection: Connection) -> tuple[str, ...]:
    damage = [line for (line,) in connection.exec_driver_sql("PRAGMA integrity_check") if line != "ok"]
    orphans = len(connection.exec_driver_sql("PRAGMA foreign_key_check").all())
    return tuple(damage) + ((f"{orphans} templates belong to no identity.",) if orphans else ())


def _begin(connection: Connection) -> None:
    # A writer takes the write lock at once. Upgrading a read lock later could fail, and no waiting would help.
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _reason(error: Exception) -> str:
    """The database's message, without the statement, its values and SQLAlchemy's remarks."""
    return str(getattr(error, "orig", None) or error)
