"""The table of API keys, in SQLite and PostgreSQL."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from app.callers import COMMAND_LINE, Scope
from app.errors import KeyNameTaken, UnknownKey
from app.gallery.api_keys import ApiKey
from app.gallery.audit import Action, Event
from app.gallery.sql.tables import api_keys
from app.gallery.sql.transactor import Transactor


class SqlKeys:
    """Implements app.gallery.api_keys.KeyTable."""

    def __init__(self, transactor: Transactor) -> None:
        self._transactor = transactor

    async def add(self, key: ApiKey, *, by: str = COMMAND_LINE) -> None:
        event = Event(Action.ADD_KEY, key=key.name)
        await self._transactor.change(lambda connection: add_key(connection, key), by, lambda _: (event,))

    async def revoke(self, name: str, *, by: str = COMMAND_LINE) -> ApiKey:
        event = Event(Action.REVOKE_KEY, key=name)
        key, _ = await self._transactor.change(
            lambda connection: revoke_key(connection, name), by, lambda result: (event,) if result[1] else ()
        )
        return key

    async def list_all(self) -> Sequence[ApiKey]:
        return await self._transactor.look(list_keys)


def list_keys(connection: Connection) -> tuple[ApiKey, ...]:
    """Returns all keys by name."""
    return tuple(_read(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.name)))


def count_active(connection: Connection) -> int:
    """Returns the number of keys that are neither revoked nor expired."""
    now = datetime.now(UTC)
    return sum(key.state(now) == "active" for key in list_keys(connection))


def add_key(connection: Connection, key: ApiKey) -> None:
    """Raises KeyNameTaken."""
    if _find(connection, key.name) is not None:
        raise KeyNameTaken(key.name)
    values = {
        "name": key.name,
        "digest": key.digest,
        "scopes": " ".join(sorted(key.scopes)),
        "galleries": None if key.galleries is None else " ".join(sorted(key.galleries)),
        "created_at": key.created_at.astimezone(UTC),
        "expires_at": key.expires_at and key.expires_at.astimezone(UTC),
    }
    connection.execute(insert(api_keys).values(**values))


def revoke_key(connection: Connection, name: str) -> tuple[ApiKey, bool]:
    """Returns the revoked key, and whether this revoked it. Raises UnknownKey."""
    key = _find(connection, name)
    if key is None:
        raise UnknownKey(name)
    if key.revoked_at is not None:
        return key, False
    connection.execute(update(api_keys).where(api_keys.c.name == name).values(revoked_at=datetime.now(UTC)))
    revoked = _find(connection, name)
    assert revoked is not None
    return revoked, True


def _find(connection: Connection, name: str) -> ApiKey | None:
    row = connection.execute(select(api_keys).where(api_keys.c.name == name)).one_or_none()
    return None if row is None else _read(row)


def _read(row: Row[Any]) -> ApiKey:
    created_at, expires_at, revoked_at = (
        each and each.replace(tzinfo=UTC) for each in (row.created_at, row.expires_at, row.revoked_at)
    )
    # A scope of a newer version means nothing here.
    scopes = frozenset(Scope(each) for each in row.scopes.split() if each in set(Scope))
    galleries = None if row.galleries is None else frozenset(row.galleries.split())
    return ApiKey(row.name, row.digest, scopes, galleries, created_at, expires_at, revoked_at)
