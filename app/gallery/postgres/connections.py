"""Connections to PostgreSQL, kept and given out again."""

import math
import time
from functools import partial
from typing import Any, Final

from pgvector.psycopg import register_vector_async
from sqlalchemy import Dialect, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

LOOKED_AT: Final = 400  # templates that the index compares at least: hnsw.ef_search
IDLE_SECONDS: Final = 1.0


def open_engine(url: str, *, vectors: bool) -> AsyncEngine:
    """Connects when first asked. `vectors`: psycopg learns pgvector's type, which must be there already."""
    # Times are UTC without saying so, as in SQLite. The index alone would return the nearest of all galleries: it goes
    # on until enough are of this one.
    chosen = {"timezone": "UTC", "hnsw.iterative_scan": "strict_order", "hnsw.ef_search": LOOKED_AT}
    options = {"options": " ".join(f"-c {name}={value}" for name, value in chosen.items()), "connect_timeout": 10}
    address = url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_async_engine(address, connect_args=options, hide_parameters=True)
    if vectors:
        event.listen(engine.sync_engine, "connect", lambda made, _: made.run_async(register_vector_async))
    event.listen(engine.sync_engine, "checkin", _note_time)
    event.listen(engine.sync_engine, "checkout", partial(_ping_if_idle, engine.dialect))
    return engine


def _note_time(_made: Any, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _ping_if_idle(dialect: Dialect, made: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """A connection that nobody has used for a while may be dead: SQLAlchemy then makes another one."""
    if time.monotonic() - record.info.get("used", math.inf) > IDLE_SECONDS:
        try:
            dialect.do_ping(made)
        except dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error
