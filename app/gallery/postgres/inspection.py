"""A look at a PostgreSQL gallery that creates, migrates and changes nothing."""

from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.gallery.base import GalleryError, GalleryLimits, Schema, StoreState
from app.gallery.postgres.connections import open_engine
from app.gallery.sql.faults import reason
from app.gallery.sql.keys import count_active
from app.gallery.sql.migrate import read_schema
from app.gallery.sql.reads import list_galleries

HAS_PGVECTOR = text("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")


async def inspect_server(url: str, limits: GalleryLimits) -> StoreState:
    """Says what the tables are. Raises GalleryError, which never contains the password, if the server does not answer,
    has no pgvector, or has tables of a newer version."""
    engine = open_engine(url, limits, 1, vectors=False)
    try:
        async with engine.connect() as connection:
            if not await connection.scalar(HAS_PGVECTOR):
                raise GalleryError("The PostgreSQL server has no pgvector. Install the extension `vector` on it.")
            schema = await connection.run_sync(read_schema)
            is_current = schema is Schema.CURRENT
            galleries = await connection.run_sync(list_galleries) if is_current else ()
            active_keys = await connection.run_sync(count_active) if is_current else 0
    except CommandError as error:
        raise GalleryError(
            f"A newer facetwin wrote the gallery's tables; upgrade this installation. {error}"
        ) from error
    except SQLAlchemyError as error:
        raise GalleryError(f"The PostgreSQL gallery cannot be used: {reason(error)}.") from error
    finally:
        await engine.dispose()
    return StoreState(schema, galleries, active_keys)
