"""The services that are attacked: the real one, with its log in a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.trust.row import Options, Row
from tests.support.postgres_server import new_database
from tests.support.server import Server

SQLITE, POSTGRES = "SQLite", "PostgreSQL"


@contextmanager
def real_service(folder: Path, **settings: str) -> Iterator[Server]:
    """Runs `facetwin serve` with its gallery in a new folder. Keywords are environment variables."""
    server = Server(Path(mkdtemp(dir=folder)), **settings)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def new_store(kind: str, options: Options) -> Iterator[str]:
    """Yields the URL of an empty store."""
    if kind == POSTGRES:
        with new_database(options.postgres.address) as url:
            yield url
    else:
        yield f"sqlite:///{mkdtemp(dir=options.folder)}/gallery.db"


def check_alive(server: Server, row: Row) -> None:
    """Notes a fault unless the service runs and is ready."""
    row.require(server.process.poll() is None, "the service has ended")
    row.require(server.http.get("/readyz").status_code == 200, "the service is not ready any more")
    row.require("internal_error" not in server.log.read_text(), "the log has internal errors")
