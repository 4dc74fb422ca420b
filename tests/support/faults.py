"""Faults of a gallery's database, made on purpose, for both kinds of store."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg

from app.gallery.base import Gallery
from app.gallery.sqlite.gallery import SqliteGallery

Fault = Callable[[str, Gallery], AbstractContextManager[None]]


@contextmanager
def locked(url: str, gallery: Gallery) -> Iterator[None]:
    """Another process holds the lock that every writer needs."""
    with _admin(url) as raw:
        if isinstance(gallery, SqliteGallery):
            raw.execute("BEGIN IMMEDIATE")
        else:
            raw.execute("BEGIN")
            raw.execute("SELECT pg_advisory_xact_lock(hashtextextended('default', 0))")
            raw.execute("LOCK TABLE alembic_version IN EXCLUSIVE MODE")
        yield
        raw.execute("ROLLBACK")


@contextmanager
def full(url: str, gallery: Gallery) -> Iterator[None]:
    """No room is left on the disk."""
    if isinstance(gallery, SqliteGallery):
        with _writer(gallery) as raw:
            (pages,) = raw.execute("PRAGMA page_count").fetchone()
            # The pages in use are enough for small rows; a large one needs more.
            raw.execute(f"PRAGMA max_page_count={pages}")
        yield
        with _writer(gallery) as raw:
            raw.execute("PRAGMA max_page_count=1000000")
        return
    with _admin(url) as raw:
        raw.execute(
            "CREATE FUNCTION fill() RETURNS trigger AS $$ BEGIN RAISE 'No space left' USING ERRCODE = '53100'; END $$ "
            "LANGUAGE plpgsql"
        )
        for table in ("templates", "alembic_version"):
            raw.execute(f"CREATE TRIGGER full_{table} BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION fill()")
        yield
        raw.execute("DROP FUNCTION fill CASCADE")


@contextmanager
def read_only(url: str, gallery: Gallery) -> Iterator[None]:
    """The disk, or the server, accepts no writes."""
    if isinstance(gallery, SqliteGallery):
        with _writer(gallery) as raw:
            raw.execute("PRAGMA query_only=ON")
        yield
        with _writer(gallery) as raw:
            raw.execute("PRAGMA query_only=OFF")
        return
    name = url.split("?")[0].rsplit("/", 1)[1]
    with _admin(url) as raw:
        raw.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        _end_others(raw)
        yield
        raw.execute("SET default_transaction_read_only = off")
        raw.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        _end_others(raw)


@contextmanager
def _admin(url: str) -> Iterator[Any]:
    """A connection of another process."""
    if url.startswith("sqlite"):
        raw = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        try:
            yield raw
        finally:
            raw.close()
        return
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@contextmanager
def _writer(gallery: SqliteGallery) -> Iterator[sqlite3.Cursor]:
    """The connection with which the gallery writes."""
    with gallery._writer.engine.connect() as connection:
        cursor: Any = connection.connection.cursor()
        yield cursor
        cursor.close()


def _end_others(raw: Any) -> None:
    raw.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
