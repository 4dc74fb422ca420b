"""A pool of connections to PostgreSQL."""

import math
import time
from functools import partial
from typing import Any, Final

from pgvector.psycopg import register_vector_async
from sqlalchemy import Dialect, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.gallery.base import GalleryLimits

EF_SEARCH: Final = 400  # hnsw.ef_search: vectors that a search of the index compares at least
IDLE_SECONDS: Final = 1.0  # a connection idle for longer is tested before use


def open_engine(url: str, limits: GalleryLimits, size: int, *, vectors: bool) -> AsyncEngine:
    """Creates an engine of up to `size` connections, which connects on first use.

    `vectors` registers pgvector's type on each connection; the extension must exist already.
    """
    wait_ms, statement_ms = (int((seconds or 0) * 1000) for seconds in (limits.wait_s, limits.statement_s))
    parameters = {
        "lock_timeout": wait_ms,
        "statement_timeout": statement_ms,  # 0: without end
        "idle_in_transaction_session_timeout": statement_ms,  # a service that hangs must not keep its locks
        "timezone": "UTC",  # the columns hold no time zone, as in SQLite
        # The index covers all galleries. An iterative scan continues until enough rows belong to the one searched.
        "hnsw.iterative_scan": "strict_order",
        "hnsw.ef_search": EF_SEARCH,
    }
    options = {
        "options": " ".join(f"-c {name}={value}" for name, value in parameters.items()),
        "connect_timeout": max(math.ceil(limits.wait_s), 1),
        # A server that vanished without a word is noticed within half a minute, also by an idle connection.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    address = url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_async_engine(
        address,
        connect_args=options,
        hide_parameters=True,
        pool_size=size,
        max_overflow=0,
        pool_timeout=limits.wait_s,
        pool_use_lifo=True,  # connections that a burst opened become idle and are tested before use
    )
    if vectors:
        event.listen(engine.sync_engine, "connect", lambda connection, _: connection.run_async(register_vector_async))
    event.listen(engine.sync_engine, "checkin", _record_last_use)
    event.listen(engine.sync_engine, "checkout", partial(_ping_if_idle, engine.dialect))
    return engine


def _record_last_use(_connection: Any, entry: ConnectionPoolEntry) -> None:
    entry.info["last_used"] = time.monotonic()


def _ping_if_idle(dialect: Dialect, connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
    """Tests a connection that was idle for a while. On DisconnectionError SQLAlchemy opens a new one."""
    if time.monotonic() - entry.info.get("last_used", math.inf) > IDLE_SECONDS:
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error
