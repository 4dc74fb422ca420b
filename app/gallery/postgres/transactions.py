"""Transactions of PostgreSQL that end as what they are: done, undone, or unknown."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from app.gallery.base import GalleryError, OutcomeUnknown
from app.gallery.sql.faults import is_fault, reason


class ConnectionLost(GalleryError):
    """The connection broke. A new one may work."""


@asynccontextmanager
async def autocommit(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for single statements. Raises GalleryError, and ConnectionLost, a GalleryError."""
    with _faults():
        async with engine.connect() as connection:
            yield connection


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction, committed at the end and undone on an error. Raises GalleryError, OutcomeUnknown."""
    committed = False
    try:
        with _faults():
            await _replace_lost_connections(engine)
            async with engine.connect() as connection:
                begun = await connection.begin()
                try:
                    yield connection
                except BaseException:
                    await begun.rollback()
                    raise
                await _commit(begun)
                committed = True
    except (GalleryError, asyncio.CancelledError):
        if not committed:  # otherwise only the connection's way back to the pool was disturbed
            raise


async def _replace_lost_connections(engine: AsyncEngine) -> None:
    """Makes the pool open new connections if the server has restarted since its connections were used last."""
    try:
        async with engine.connect() as connection:
            await connection.execute(select(1))
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        if not is_fault(error):
            raise
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        kind = ConnectionLost if lost else GalleryError
        raise kind(f"The PostgreSQL gallery is unusable: {reason(error)}") from error


async def _commit(begun: AsyncTransaction) -> None:
    """Commits. A caller that is cancelled in between waits for the outcome all the same."""
    commit = asyncio.ensure_future(begun.commit())
    try:
        try:
            await asyncio.shield(commit)
        except asyncio.CancelledError:
            await commit
    except SQLAlchemyError as error:
        if not is_fault(error):
            raise
        raise OutcomeUnknown(f"The PostgreSQL gallery failed while it stored a change: {reason(error)}") from error
