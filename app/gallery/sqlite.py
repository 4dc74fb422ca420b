"""The embedded gallery: one SQLite file, an index in memory, and any number of processes on the same file.

Every operation runs on one thread of its own, in order; the event loop never waits for the disk.
"""

import asyncio
import json
import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util import CommandError
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, create_engine, delete, event, func, insert, select, update
from sqlalchemy.pool import StaticPool

from app.errors import EncoderMismatch, IdentityExists, UnknownGallery, UnknownIdentity, UnknownTemplate
from app.gallery.base import (
    DEFAULT_GALLERY,
    GallerySummary,
    Identity,
    IdentityPage,
    IfExists,
    NewTemplate,
    Receipt,
    SearchResult,
    Template,
)
from app.gallery.follower import BUSY_SECONDS, Follower
from app.gallery.queries import check_gallery, erase, load_identities
from app.gallery.tables import changes, identities, templates

T = TypeVar("T")

KEPT_CHANGES: Final = 100_000  # a process that is further behind reads everything anew


class GalleryError(Exception):
    """The file cannot serve as a gallery: damaged, not writable, or of a newer version."""


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
        return await self._call(partial(self._enroll, new, if_exists))

    async def search(
        self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int, only: str | None = None
    ) -> SearchResult:
        return await self._call(partial(self._search, gallery, vector, encoder_id, top_k, only))

    async def identity(self, gallery: str, identity: str) -> Identity:
        return await self._call(partial(self._identity, gallery, identity))

    async def identities(self, gallery: str, after: str | None, limit: int) -> IdentityPage:
        return await self._call(partial(self._identities, gallery, after, limit))

    async def galleries(self) -> tuple[GallerySummary, ...]:
        return await self._call(self._galleries)

    async def forget_identity(self, gallery: str, identity: str) -> Receipt:
        return await self._call(partial(self._forget, gallery, identity, None))

    async def forget_template(self, gallery: str, identity: str, template_id: str) -> Receipt:
        return await self._call(partial(self._forget, gallery, identity, template_id))

    async def forget_gallery(self, gallery: str) -> Receipt:
        return await self._call(partial(self._forget, gallery, None, None))

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
                _migrate(connection)
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

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(reading=True) as connection, connection.begin():
            yield connection

    def _enroll(self, new: NewTemplate, if_exists: IfExists) -> Template:
        here = (identities.c.gallery == new.gallery) & (identities.c.identity == new.identity)
        now = _now()
        template = Template(uuid.uuid4().hex, new.encoder_id, new.detector, new.quality, now)
        with self._writing() as connection:
            known = connection.scalar(select(identities.c.identity).where(here)) is not None
            if known and if_exists is IfExists.REJECT:
                raise IdentityExists(new.gallery, new.identity)
            if known and if_exists is IfExists.REPLACE:
                erase(connection, new.gallery, new.identity, None)
                known = False
            other = select(templates.c.template_id).where(
                templates.c.gallery == new.gallery, templates.c.encoder_id != new.encoder_id
            )
            if connection.scalar(other.limit(1)) is not None:
                raise EncoderMismatch(new.gallery)
            if not known:
                connection.execute(
                    insert(identities).values(
                        gallery=new.gallery,
                        identity=new.identity,
                        metadata=json.dumps(dict(new.metadata or {})),
                        created_at=now,
                    )
                )
            elif new.metadata is not None:
                connection.execute(update(identities).where(here).values(metadata=json.dumps(dict(new.metadata))))
            connection.execute(
                insert(templates).values(
                    template_id=template.template_id,
                    gallery=new.gallery,
                    identity=new.identity,
                    encoder_id=new.encoder_id,
                    detector=new.detector,
                    quality=new.quality,
                    vector=new.vector.astype("<f4").tobytes(),
                    created_at=now,
                )
            )
            connection.execute(insert(changes).values(template_id=template.template_id))
        return template

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
        found = shelf.index.search(vector.astype(np.float32), top_k, only)
        return SearchResult(found, len(shelf.index), frozenset(shelf.detectors))

    def _identity(self, gallery: str, identity: str) -> Identity:
        with self._reading() as connection:
            page = load_identities(connection, gallery, identities.c.identity == identity, limit=1)
            if not page:
                check_gallery(connection, gallery)
                raise UnknownIdentity(gallery, identity)
        return page[0]

    def _identities(self, gallery: str, after: str | None, limit: int) -> IdentityPage:
        with self._reading() as connection:
            page = load_identities(connection, gallery, identities.c.identity > (after or ""), limit=limit + 1)
            if not page:
                check_gallery(connection, gallery)
        shown = tuple(page[:limit])
        return IdentityPage(shown, shown[-1].identity if len(page) > limit else None)

    def _galleries(self) -> tuple[GallerySummary, ...]:
        columns = (templates.c.gallery, templates.c.identity, templates.c.encoder_id, templates.c.detector)
        query = select(*columns, func.count().label("held")).group_by(*columns).order_by(*columns)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        summaries: dict[str, list[Row[Any]]] = {DEFAULT_GALLERY: []}
        for row in rows:
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

    def _forget(self, gallery: str, identity: str | None, template_id: str | None) -> Receipt:
        with self._writing() as connection:
            check_gallery(connection, gallery)
            if identity is not None:
                here = (identities.c.gallery == gallery) & (identities.c.identity == identity)
                if connection.scalar(select(identities.c.identity).where(here)) is None:
                    raise UnknownIdentity(gallery, identity)
            names, gone = erase(connection, gallery, identity, template_id)
            if template_id is not None and identity is not None and not gone:
                raise UnknownTemplate(identity, template_id)
        # secure_delete has overwritten the pages; this takes the old ones out of the write-ahead log too.
        with self._engine.connect() as connection:
            raw = connection.connection.cursor()
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raw.close()
        self._follower.catch_up()
        return Receipt(gallery, names, gone, _now())


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


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once: upgrading a read lock later could fail with no way to wait.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _migrate(connection: Connection) -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _now() -> datetime:
    return datetime.now(UTC)
