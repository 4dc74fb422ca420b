"""A look at a gallery's file that creates, migrates and changes nothing."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from alembic.util import CommandError
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from app.gallery.base import GalleryError, GalleryLimits, Schema, StoreState
from app.gallery.sql.faults import reason
from app.gallery.sql.keys import count_active
from app.gallery.sql.migrate import read_schema
from app.gallery.sql.reads import list_galleries


def inspect_file(path: Path, limits: GalleryLimits) -> StoreState:
    """Says what the file is. Raises GalleryError if it is damaged, locked, not writable, or of a newer version."""
    if not path.exists():
        return StoreState(Schema.ABSENT)

    def connect() -> sqlite3.Connection:
        # rw: an absent file is not created, and a file that cannot be written is found out by taking the lock.
        address = f"file:{quote(str(path.absolute()))}?mode=rw"
        connection = sqlite3.connect(address, uri=True, timeout=limits.wait_s, isolation_level=None)
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            schema = read_schema(connection)
            is_current = schema is Schema.CURRENT
            galleries = list_galleries(connection) if is_current else ()
            active_keys = count_active(connection) if is_current else 0
            connection.exec_driver_sql("ROLLBACK")
    except CommandError as error:
        raise GalleryError(f"A newer facetwin wrote the gallery {path}; upgrade this installation. {error}") from error
    except (SQLAlchemyError, sqlite3.DatabaseError) as error:
        raise GalleryError(f"The gallery {path} cannot be used: {reason(error)}.") from error
    return StoreState(schema, galleries, active_keys)
