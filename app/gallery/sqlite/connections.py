"""Connections to a gallery's SQLite file."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from app.gallery.base import OutcomeUnknown
from app.gallery.sqlite.lane import Abandoned

POLL_S: Final = 0.005  # between two attempts to get the lock of writers
INSTRUCTIONS: Final = 20_000  # of SQLite's machine, about a millisecond, between two looks at whether anybody waits
NOT_STORED: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}  # of a commit


class Database:
    """One connection to the file, for one thread, and its transactions."""

    def __init__(self, path: Path, wait_s: float) -> None:
        """`wait_s` limits how long a transaction waits for those of other processes."""
        self._wait_s = wait_s
        self._abandoned = Event()
        self.engine = _open_engine(path, wait_s, lambda: self._abandoned.is_set())

    @contextmanager
    def transaction(self, abandoned: Event, *, read_only: bool) -> Iterator[Connection]:
        """A transaction, undone if it fails or `abandoned` is set before the commit.

        Raises Abandoned, OutcomeUnknown, and what SQLAlchemy raises.
        """
        self._abandoned = abandoned
        options = {"read_only": read_only, "abandoned": abandoned, "give_up_at": time.monotonic() + self._wait_s}
        try:
            with self.engine.connect().execution_options(**options) as connection:
                transaction = connection.begin()
                try:
                    yield connection
                    if abandoned.is_set():
                        raise Abandoned
                except BaseException:
                    transaction.rollback()
                    raise
                self._abandoned = Event()  # a commit is not interrupted
                _commit(transaction.commit)
        except OperationalError as error:
            if abandoned.is_set():
                raise Abandoned from error
            raise
        finally:
            self._abandoned = Event()

    def close(self) -> None:
        self.engine.dispose()


def _commit(commit: Callable[[], None]) -> None:
    try:
        commit()
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in NOT_STORED:
            raise
        raise OutcomeUnknown(str(error.orig)) from error


def _open_engine(path: Path, wait_s: float, interrupted: Callable[[], bool]) -> Engine:
    def configure(connection: Any, _record: Any) -> None:
        # An old version may have stored text that is not UTF-8. It must not make lists fail.
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        connection.isolation_level = None  # _begin starts transactions, not the sqlite3 module
        cursor = connection.cursor()
        _enable_write_ahead_log(cursor, wait_s)
        cursor.execute("PRAGMA synchronous=FULL")  # acknowledged changes are on disk
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # deleted templates are overwritten
        cursor.execute("PRAGMA temp_store=MEMORY")  # no names in temporary files
        cursor.close()
        connection.set_progress_handler(lambda: int(interrupted()), INSTRUCTIONS)

    engine = create_engine(
        f"sqlite:///{path}", poolclass=StaticPool, connect_args={"timeout": wait_s, "check_same_thread": False}
    )
    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", _begin)
    return engine


def _enable_write_ahead_log(cursor: sqlite3.Cursor, wait_s: float) -> None:
    # While another process creates the file, SQLite refuses this at once, whatever the connection's timeout. So wait.
    deadline = time.monotonic() + wait_s
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
    options = connection.get_execution_options()
    if options.get("read_only", False):
        connection.exec_driver_sql("BEGIN")
        return
    # A writer takes the write lock at once. Upgrading a read lock later could fail, and no waiting would help. SQLite's
    # own waiting cannot be ended, so it is switched off while this waits.
    cursor = connection.connection.cursor()
    (timeout_ms,) = cursor.execute("PRAGMA busy_timeout").fetchone()
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        _begin_immediate(connection, options["abandoned"], options["give_up_at"])
    finally:
        cursor.execute(f"PRAGMA busy_timeout={timeout_ms}")
        cursor.close()


def _begin_immediate(connection: Connection, abandoned: Event, give_up_at: float) -> None:
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or abandoned.is_set() or time.monotonic() > give_up_at:
                raise
            time.sleep(POLL_S)
        else:
            return
