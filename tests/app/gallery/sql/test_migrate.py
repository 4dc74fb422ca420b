import re
import sqlite3
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, inspect, text

from app.gallery.base import GalleryError, IfExists
from app.gallery.postgres.gallery import PostgresGallery
from app.gallery.postgres.queries import INDEXED_DIMENSION
from app.gallery.rejection import NewRejection
from app.gallery.sql import migrate
from app.gallery.sql.tables import metadata, template_counts
from app.gallery.sqlite.gallery import SqliteGallery
from tests.support.galleries import ENCODER, new_template, unit_vector

pytestmark = pytest.mark.anyio


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    await (await SqliteGallery.open(path)).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(GalleryError, match="newer facetwin"):
        await SqliteGallery.open(path)


async def test_the_migrations_create_the_declared_tables(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    await (await SqliteGallery.open(path)).close()
    engine = create_engine(f"sqlite:///{path}")
    found = inspect(engine)
    for table in set(metadata.sorted_tables) - {template_counts}:
        columns = {
            column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(table.name)
        }
        if table.name == "templates":
            assert columns.pop("number") == ("INTEGER", False)
        assert columns == {
            column.name: (column.type.compile(engine.dialect), bool(column.nullable)) for column in table.columns
        }
    engine.dispose()


async def test_a_gallery_of_revision_0003_gets_the_new_columns_and_keeps_its_templates(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    gallery = await SqliteGallery.open(path)
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    await gallery.close()
    with sqlite3.connect(path) as raw:  # as revision 0003 left it
        raw.execute("DROP TABLE rejections")
        raw.execute("DROP INDEX templates_by_expiry")
        for column in ("expires_at", "consent_ref"):
            raw.execute(f"ALTER TABLE templates DROP COLUMN {column}")
        raw.execute("UPDATE alembic_version SET version_num = '0003'")
    raw.close()
    gallery = await SqliteGallery.open(path)
    (template,) = (await gallery.get_identity("default", "ada")).templates
    assert (template.expires_at, template.consent_ref) == (None, None)
    assert (await gallery.search("default", unit_vector(1), ENCODER, 1)).candidates[0].identity == "ada"
    await gallery.close()


async def test_postgresql_tables_of_revision_0003_get_the_new_columns(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    await gallery.close()
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("DROP TABLE rejections")
        admin.execute("ALTER TABLE templates DROP COLUMN expires_at, DROP COLUMN consent_ref")
        admin.execute("UPDATE alembic_version SET version_num = '0003'")
    gallery = await PostgresGallery.open(postgres_url)
    (template,) = (await gallery.get_identity("default", "ada")).templates
    assert template.expires_at is None
    await gallery.close()


async def test_revision_0005_indexes_vectors_of_256_numbers_instead_of_128_and_can_be_undone(
    postgres_url: str,
) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    assert indexed_dimension(postgres_url) == INDEXED_DIMENSION == 256
    async with gallery._engine.begin() as connection:
        await connection.run_sync(downgrade, "0004")
    assert indexed_dimension(postgres_url) == 128
    await gallery.close()
    gallery = await PostgresGallery.open(postgres_url)
    assert indexed_dimension(postgres_url) == 256
    assert (await gallery.search("default", unit_vector(1), ENCODER, 1)).candidates[0].identity == "ada"
    await gallery.close()


def indexed_dimension(url: str) -> int:
    """The length of the vectors that PostgreSQL's index covers, as its definition says in both places."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'templates_by_vector'")
        ((definition,),) = found.fetchall()
    (dimension,) = set(re.findall(r"(?:vector\(|= )(\d+)\)", definition))
    return int(dimension)


def downgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


async def test_revision_0006_is_undone_only_without_rejections(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    rejection = await gallery.add_rejection(NewRejection("default", "ada", unit_vector(2), ENCODER))
    with pytest.raises(CommandError, match="delete them first"):
        async with gallery._engine.begin() as connection:
            await connection.run_sync(downgrade, "0005")
    assert await gallery.list_rejections("default", "ada") == (rejection,)
    await gallery.close()


async def test_a_gallery_of_revision_0002_is_migrated_with_its_templates(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    await (await SqliteGallery.open(path)).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:  # as revision 0002 left it
        for statement in (
            "DROP TABLE rejections",
            "DROP TABLE templates",
            "DROP TABLE changes",
            "CREATE TABLE templates (template_id TEXT PRIMARY KEY, gallery TEXT NOT NULL, identity TEXT NOT NULL, "
            "encoder_id TEXT NOT NULL, detector TEXT NOT NULL, quality FLOAT NOT NULL, vector BLOB NOT NULL, "
            "created_at DATETIME NOT NULL)",
            "CREATE INDEX templates_by_identity ON templates (gallery, identity)",
            "CREATE TABLE changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, template_id TEXT NOT NULL)",
            "UPDATE alembic_version SET version_num = '0002'",
            "INSERT INTO identities VALUES ('default', 'ada', '{}', '2026-01-01 00:00:00.000000')",
        ):
            connection.execute(text(statement))
        values = {
            "id": "t1",
            "encoder": ENCODER,
            "vector": unit_vector(1).tobytes(),
            "at": "2026-01-01 00:00:00.000000",
        }
        insert = "INSERT INTO templates VALUES (:id, 'default', 'ada', :encoder, 'mtcnn', 0.5, :vector, :at)"
        connection.execute(text(insert), values)
    engine.dispose()
    gallery = await SqliteGallery.open(path)
    found = await gallery.search("default", unit_vector(1), ENCODER, 1)
    assert [(each.identity, each.template_id) for each in found.candidates] == [("ada", "t1")]
    await gallery.enroll(new_template("ada", 2), IfExists.ADD)
    assert (await gallery.delete_identity("default", "ada")).template_ids[0] == "t1"
    await gallery.close()
