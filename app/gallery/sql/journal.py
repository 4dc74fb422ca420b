"""The table of the audit log, in SQLite and PostgreSQL."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, insert, select

from app.callers import COMMAND_LINE
from app.gallery.audit import START, AuditSecret, Entry, Event
from app.gallery.base import GalleryError
from app.gallery.sql.tables import audit
from app.gallery.sql.transactor import Transactor

APPEND_LOCK: Final = 7_270_729  # key of the advisory lock that makes PostgreSQL's writers append one after the other


class Journal:
    """Appends to the log, inside the transactions that change the store. Does nothing without a secret."""

    def __init__(self, secret: AuditSecret | None) -> None:
        self.secret = secret

    def check(self, connection: Connection, *, allow_unaudited: bool) -> None:
        """Raises GalleryError if the store has a log that this process would leave out or could not continue."""
        head = _head(connection)
        if head is not None and self.secret is None and not allow_unaudited:
            raise GalleryError(
                "This gallery has an audit log. Set FACETWIN_AUDIT_KEY or FACETWIN_AUDIT_KEY_FILE to the secret of the "
                "log, or FACETWIN_ALLOW_UNAUDITED=true to leave out what this process does."
            )
        self._check_secret(head)

    def append(self, connection: Connection, by: str, events: Iterable[Event]) -> None:
        """Appends an entry for each event. Call it last in a transaction: until its end, nobody else can append."""
        events = tuple(events)
        if self.secret is None or not events:
            return
        if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
            connection.execute(select(func.pg_advisory_xact_lock(APPEND_LOCK)))
        head = _head(connection)
        self._check_secret(head)
        number, previous = (0, START) if head is None else (head.number, head.hash)
        rows = []
        for event in events:
            number += 1
            entry = self.secret.entry(event, by, datetime.now(UTC), number, previous)
            rows.append(vars(entry))
            previous = entry.hash
        connection.execute(insert(audit), rows)

    def _check_secret(self, head: Row[Any] | None) -> None:
        if head is not None and self.secret is not None and head.secret_id != self.secret.id:
            raise GalleryError(
                "The audit log of this gallery was written with another secret. Set FACETWIN_AUDIT_KEY or "
                "FACETWIN_AUDIT_KEY_FILE to that one."
            )


class SqlAuditLog:
    """Implements app.gallery.audit.AuditLog."""

    def __init__(self, secret: AuditSecret | None, transactor: Transactor) -> None:
        self.secret, self._transactor = secret, transactor

    async def record(self, event: Event, *, by: str = COMMAND_LINE) -> None:
        if self.secret is not None:
            await self._transactor.change(lambda _: None, by, lambda _: (event,))

    async def list_entries(self, after: int, limit: int) -> Sequence[Entry]:
        query = select(audit).where(audit.c.number > after).order_by(audit.c.number).limit(limit)
        return await self._transactor.look(
            lambda connection: tuple(Entry(**row._mapping) for row in connection.execute(query))
        )


def _head(connection: Connection) -> Row[Any] | None:
    query: Select[Any] = select(audit.c.number, audit.c.hash, audit.c.secret_id).order_by(audit.c.number.desc())
    return connection.execute(query.limit(1)).one_or_none()
