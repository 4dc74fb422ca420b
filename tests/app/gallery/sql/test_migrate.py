import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, inspect, text

from app.gallery import open_gallery
from app.gallery.base import GalleryError, IfExists
from app.gallery.export_import import find_integrity_errors
from app.gallery.postgres.gallery import PostgresGallery
from app.gallery.postgres.queries import index_name
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
        for table in ("audit", "api_keys"):
            raw.execute(f"DROP TABLE {table}")
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
        admin.execute("ALTER INDEX templates_by_vector_256 RENAME TO templates_by_vector")
        admin.execute("DROP TABLE audit, api_keys")
        admin.execute("DROP FUNCTION refuse_audit_change")
        admin.execute("UPDATE alembic_version SET version_num = '0003'")
    gallery = await PostgresGallery.open(postgres_url)
    (template,) = (await gallery.get_identity("default", "ada")).templates
    assert template.expires_at is None
    await gallery.close()


async def test_a_gallery_of_128_numbers_that_lost_its_index_gets_it_back_and_this_can_be_undone(
    postgres_url: str,
) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    for number, dimension in enumerate((128, 256)):
        new = replace(new_template(f"p{number}", 1, f"g{number}"), vector=unit_vector(number, dimension))
        await gallery.enroll(new, IfExists.REJECT)
    async with gallery._engine.begin() as connection:
        await connection.run_sync(downgrade, "0005")
    assert indexed_dimensions(postgres_url) == {"templates_by_vector": 256}
    async with gallery._engine.begin() as connection:
        await connection.run_sync(downgrade, "0004")
    assert indexed_dimensions(postgres_url) == {"templates_by_vector": 128}
    await gallery.close()
    gallery = await PostgresGallery.open(postgres_url)
    assert indexed_dimensions(postgres_url) == {index_name(128): 128, index_name(256): 256}
    for number, dimension in enumerate((128, 256)):
        found = await gallery.search(f"g{number}", unit_vector(number, dimension), ENCODER, 1)
        assert found.candidates[0].identity == f"p{number}"
    await gallery.close()


def indexed_dimensions(url: str) -> dict[str, int]:
    """The lengths of the vectors that PostgreSQL's indexes cover, as each definition says in both places."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT indexname, indexdef FROM pg_indexes WHERE indexdef LIKE '%hnsw%'").fetchall()
    dimensions = {}
    for name, definition in found:
        (dimension,) = set(re.findall(r"(?:vector\(|= )(\d+)\)", definition))
        dimensions[name] = int(dimension)
    return dimensions


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
            "DROP TABLE audit",
            "DROP TABLE api_keys",
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


NFC, NFD = "Jos\u00e9", "Jose\u0301"
OLD_NAMES = {  # by gallery: what an old version stored, and what becomes of it
    "default": {NFC: NFC, f" {NFC}": f"{NFC} (2)", NFD: f"{NFC} (3)", "Ada": "Ada", "Zoe\u0308": "Zo\u00eb"},
    "other": {NFD: NFC, "a" * 198 + "e\u0301": "a" * 198 + "\u00e9", "..": ".."},
    "long": {"a" * 199 + "\u00e9": "a" * 199 + "\u00e9", "a" * 199 + "e\u0301": "a" * 196 + " (2)"},
}


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_names_of_older_versions_become_nfc_and_nobody_is_lost_or_taken_for_another(
    store: str, request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "gallery.db"
    url = f"sqlite:///{path}" if store == "sqlite" else str(request.getfixturevalue("postgres_url"))
    gallery = await open_gallery(url)
    number, vectors = 0, {}
    for name, people in OLD_NAMES.items():
        for old, new in people.items():
            number += 1
            enrolled = new_template(f"n{number}", number, name, metadata={"was": old})
            template = await gallery.enroll(enrolled, IfExists.REJECT)
            await gallery.enroll(new_template(f"n{number}", 100 + number, name), IfExists.ADD)
            vectors[name, new] = (number, template.template_id, old)
            store_raw_name(url, name, f"n{number}", old)
    await gallery.close()
    undo_keys_and_audit(url)
    execute(url, "UPDATE alembic_version SET version_num = '0007'")

    gallery = await open_gallery(url)
    for (name, new), (seed, template_id, old) in vectors.items():
        person = await gallery.get_identity(name, new)
        assert person.metadata == {"was": old}
        assert len(person.templates) == 2
        found = (await gallery.search(name, unit_vector(seed), ENCODER, 1)).candidates[0]
        assert (found.identity, found.template_id) == (new, template_id)
    for name, people in OLD_NAMES.items():
        assert len((await gallery.list_identities(name, None, 99)).identities) == len(people)
    problems = await find_integrity_errors(gallery)
    assert len(problems) == 1
    assert "relative path" in problems[0]
    await gallery.close()
    (record,) = [each for each in caplog.records if each.message == "names normalized"]
    assert record.__dict__["renamed"] == 6
    apart = {vectors[name, new][1] for name, new in vectors if "(" in new}
    assert len(record.__dict__["kept_apart_with_templates"]) == len(apart) == 3
    assert "Jos" not in str(record.__dict__)


async def test_a_name_that_is_not_utf_8_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    gallery = await SqliteGallery.open(path)
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    await gallery.close()
    raw = sqlite3.connect(path)
    for table in ("identities", "templates"):
        raw.execute(f"UPDATE {table} SET identity = CAST(x'65cc81ff' AS TEXT)")
    for table in ("audit", "api_keys"):
        raw.execute(f"DROP TABLE {table}")
    raw.execute("UPDATE alembic_version SET version_num = '0007'")
    raw.commit()
    raw.close()
    gallery = await SqliteGallery.open(path)
    assert len((await gallery.list_identities("default", None, 9)).identities) == 1
    assert (await gallery.search("default", unit_vector(1), ENCODER, 1)).size == 1
    await gallery.close()


def store_raw_name(url: str, gallery: str, name: str, old: str) -> None:
    """Renames somebody as a version without the rule on names could."""
    here = "WHERE gallery = ? AND identity = ?"
    execute(
        url,
        f"INSERT INTO identities SELECT gallery, ?, metadata, created_at FROM identities {here}",
        old, gallery, name,
    )  # fmt: skip
    execute(url, f"UPDATE templates SET identity = ? {here}", old, gallery, name)
    execute(url, "DELETE FROM identities WHERE gallery = ? AND identity = ?", gallery, name)


def undo_keys_and_audit(url: str) -> None:
    """Removes what the revisions 0009 and 0010 made."""
    for table in ("audit", "api_keys"):
        execute(url, f"DROP TABLE {table}")
    if not url.startswith("sqlite"):
        execute(url, "DROP FUNCTION refuse_audit_change")


def execute(url: str, statement: str, *values: str) -> None:
    if url.startswith("sqlite"):
        raw = sqlite3.connect(url.removeprefix("sqlite:///"))
        with raw:
            raw.execute(statement, values)
        raw.close()
        return
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.replace("?", "%s").encode(), values)
