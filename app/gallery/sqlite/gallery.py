"""The embedded gallery: one SQLite file, an index in memory, and any number of processes on the same file.

Every operation runs on one thread of its own, in order; the event loop never waits for the disk.
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
from sqlalchemy.pool import StaticPool

from app.errors import EncoderMismatch, UnknownGallery
from app.gallery.base import (
    DEFAULT_GALLERY,
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
from app.gallery.sql import reads as lookups
from app.gallery.sql import writes as operations
from app.gallery.sql.migrate import migrate
from app.gallery.sql.tables import changes
from app.gallery.sqlite.change_feed import BUSY_SECONDS, Follower

T = TypeVar("T")

KEPT_CHANGES: Final = 100_000  # a process that is further behind reads everything anew


class SqliteGallery:
    """Implements app.gallery.base.Gallery. Open it with `SqliteGallery.open(path)`."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gallery")
        self._path = path
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> "SqliteGallery":
        """Creates the file (readable by its owner alone) or migrates it. Raises GalleryError."""
        gallery = cls(path)
        try:
            await gallery._call(gallery._open)
        except BaseException:
            gallery._thread.shutdown()
            raise
        return gallery

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._call(self._close)
            self._thread.shutdown()

    async def enroll(self, new: NewTemplate, if_exists: IfExists) -> Template:
        enroll = partial(operations.enroll, new=new, if_exists=if_exists)
        return (await self._call(partial(self._write, enroll))).template

    async def search(
        self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int, only: str | None = None
    ) -> SearchResult:
        return await self._call(partial(self._search, gallery, vector, encoder_id, top_k, only))

    async def identity(self, gallery: str, identity: str) -> Identity:
        return await self._reading(partial(lookups.find_identity, gallery=gallery, identity=identity))

    async def identities(self, gallery: str, after: str | None, limit: int) -> IdentityPage:
        return await self._reading(partial(lookups.list_identities, gallery=gallery, after=after, limit=limit))

    async def galleries(self) -> tuple[GallerySummary, ...]:
        return await self._reading(lookups.list_galleries)

    async def edit_identity(
        self, gallery: str, identity: str, name: str | None, metadata: Mapping[str, Any] | None
    ) -> Identity:
        edit = partial(operations.edit_identity, gallery=gallery, identity=identity, name=name, metadata=metadata)
        return await self._call(partial(self._write, edit))

    async def merge_identity(self, gallery: str, identity: str, into: str) -> Identity:
        merge = partial(operations.merge_identity, gallery=gallery, identity=identity, into=into)
        return await self._call(partial(self._write, merge))

    async def forget_identity(self, gallery: str, identity: str) -> Receipt:
        return await self._call(partial(self._forget, gallery, identity, None))

    async def forget_template(self, gallery: str, identity: str, template_id: str) -> Receipt:
        return await self._call(partial(self._forget, gallery, identity, template_id))

    async def forget_gallery(self, gallery: str) -> Receipt:
        return await self._call(partial(self._forget, gallery, None, None))

    async def flaws(self) -> tuple[str, ...]:
        return await self._reading(_flaws)

    async def records(self, after: Record | None, limit: int) -> tuple[Record, ...]:
        return await self._reading(partial(lookups.load_records, after=after, limit=limit))

    async def restore(self, records: Sequence[Record]) -> int:
        return await self._call(partial(self._write, partial(operations.restore, records=records)))

    async def _reading(self, work: Callable[[Connection], T]) -> T:
        return await self._call(partial(self._read, work))

    async def _call(self, work: Callable[[], T]) -> T:
        # Shielded: a caller that goes away must not leave a write whose outcome nobody awaits in order.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    # From here on: on the gallery's own thread.

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
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
            with self._writing() as connection:
                migrate(connection)
                newest = connection.scalar(select(func.max(changes.c.seq))) or 0
                connection.execute(delete(changes).where(changes.c.seq <= newest - KEPT_CHANGES))
        except CommandError as error:
            raise GalleryError(f"The gallery {self._path} was made by a newer facetwin: {error}") from error
        except Exception as error:
            raise GalleryError(f"The gallery {self._path} cannot be opened: {error}") from error
        self._follower = Follower(self._path)
        self._follower.catch_up()

    def _close(self) -> None:
        self._follower.close()
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection

    def _write(self, work: Callable[[Connection], T]) -> T:
        with self._writing() as connection:
            return work(connection)

    def _search(
        self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int, only: str | None
    ) -> SearchResult:
        self._follower.catch_up()
        shelf = self._follower.shelves.get(gallery)
        if shelf is None or not shelf.encoders:
            if gallery != DEFAULT_GALLERY:
                raise UnknownGallery(gallery)
            return SearchResult((), 0, frozenset())
        if set(shelf.encoders) != {encoder_id}:
            raise EncoderMismatch(gallery)
        if only is None:
            found = self._follower.search(gallery, vector, top_k)
        else:
            found = self._follower.compare(gallery, encoder_id, vector, only)
        return SearchResult(found, len(shelf.index), frozenset(shelf.detectors))

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._engine.connect().execution_options(reading=True) as connection, connection.begin():
            return work(connection)

    def _forget(self, gallery: str, identity: str | None, template_id: str | None) -> Receipt:
        with self._writing() as connection:
            receipt = operations.forget(connection, gallery, identity, template_id)
        # secure_delete has overwritten the pages; this takes the old ones out of the write-ahead log too.
        with self._engine.connect() as connection:
            raw = connection.connection.cursor()
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raw.close()
        self._follower.catch_up()
        return receipt


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # sqlite3 must not begin transactions by itself; _begin does
    cursor = connection.cursor()
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous=FULL")  # what is acknowledged is on disk
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # erased faces are overwritten, not just unlinked
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    # Where another process has just made the file and is at the same switch, SQLite refuses at once, whatever the
    # timeout of the connection; so the waiting is done here.
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


def _flaws(connection: Connection) -> tuple[str, ...]:
    damage = [line for (line,) in connection.exec_driver_sql("PRAGMA integrity_check") if line != "ok"]
    orphans = len(connection.exec_driver_sql("PRAGMA foreign_key_check").all())
    return tuple(damage) + ((f"{orphans} templates are nobody's.",) if orphans else ())


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once: upgrading a read lock later could fail with no way to wait.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
