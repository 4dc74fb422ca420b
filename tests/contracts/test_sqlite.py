"""What only the SQLite gallery promises."""

import asyncio
import sqlite3
import stat
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, inspect, text

from app.gallery import open_gallery
from app.gallery.base import GalleryError, IfExists
from app.gallery.sql.tables import holdings, metadata
from app.gallery.sqlite import change_feed
from app.gallery.sqlite.gallery import SqliteGallery
from app.gallery.sqlite.index import VectorIndex
from tests.support.galleries import ENCODER, new, vector

pytestmark = pytest.mark.anyio


async def test_a_file_that_another_process_is_just_making_is_waited_for(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "gallery.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE half_made (x)")
    opening = asyncio.create_task(open_gallery(f"sqlite:///{tmp_path / 'gallery.db'}"))
    await asyncio.sleep(0.3)
    assert not opening.done()
    other.execute("ROLLBACK")
    other.close()
    gallery = await opening
    await gallery.close()


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    gallery = await open_gallery(f"sqlite:///{path}")
    await gallery.enroll(new("ada"), IfExists.REJECT)
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await gallery.close()


async def test_an_erased_vector_is_in_none_of_the_files(tmp_path: Path) -> None:
    gallery = await open_gallery(f"sqlite:///{tmp_path / 'gallery.db'}")
    await gallery.enroll(new("ada-lovelace", 5), IfExists.REJECT)
    needles = (vector(5).astype("<f4").tobytes(), b"ada-lovelace")
    assert all(any(needle in file.read_bytes() for file in tmp_path.iterdir()) for needle in needles)
    await gallery.forget_identity("default", "ada-lovelace")
    for file in tmp_path.iterdir():
        assert not any(needle in file.read_bytes() for needle in needles), file.name
    await gallery.close()


async def test_who_fell_behind_the_pruned_changes_reads_everything_anew(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    first, second = await SqliteGallery.open(path), await SqliteGallery.open(path)
    await second.enroll(new("ada", 1), IfExists.REJECT)
    await second.enroll(new("bob", 2), IfExists.REJECT)
    await second.forget_identity("default", "ada")
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM changes WHERE seq < (SELECT max(seq) FROM changes)")
    raw.close()
    found = await first.search("default", vector(1), ENCODER, 5)
    assert [each.identity for each in found.candidates] == ["bob"]
    await first.close()
    await second.close()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    path.write_bytes(b"this is no database, but long enough to be read as the header of one" * 20)
    with pytest.raises(GalleryError, match="cannot be opened"):
        await SqliteGallery.open(path)


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    await (await SqliteGallery.open(path)).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(GalleryError, match="newer facetwin"):
        await SqliteGallery.open(path)


async def test_the_tables_are_what_the_migrations_make(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    await (await SqliteGallery.open(path)).close()
    engine = create_engine(f"sqlite:///{path}")
    found = inspect(engine)
    for table in set(metadata.sorted_tables) - {holdings}:
        columns = {
            column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(table.name)
        }
        if table.name == "templates":
            assert columns.pop("number") == ("INTEGER", False)
        assert columns == {
            column.name: (column.type.compile(engine.dialect), bool(column.nullable)) for column in table.columns
        }
    engine.dispose()


async def test_many_writers_at_once_all_get_their_turn(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    galleries = [await SqliteGallery.open(path) for _ in range(3)]
    await asyncio.gather(
        *(
            gallery.enroll(new(f"{i}-{j}", 10 * i + j), IfExists.REJECT)
            for i, gallery in enumerate(galleries)
            for j in range(10)
        )
    )
    for gallery in galleries:
        assert (await gallery.search("default", np.ones(8, np.float32), ENCODER, 1)).size == 30
        await gallery.close()


async def test_a_gallery_of_an_older_version_is_taken_over_whole(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    await (await SqliteGallery.open(path)).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:  # as version 0002 left it
        for statement in (
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
        values = {"id": "t1", "encoder": ENCODER, "vector": vector(1).tobytes(), "at": "2026-01-01 00:00:00.000000"}
        insert = "INSERT INTO templates VALUES (:id, 'default', 'ada', :encoder, 'mtcnn', 0.5, :vector, :at)"
        connection.execute(text(insert), values)
    engine.dispose()
    gallery = await SqliteGallery.open(path)
    found = await gallery.search("default", vector(1), ENCODER, 1)
    assert [(each.identity, each.template_id) for each in found.candidates] == [("ada", "t1")]
    await gallery.enroll(new("ada", 2), IfExists.ADD)
    assert (await gallery.forget_identity("default", "ada")).template_ids[0] == "t1"
    await gallery.close()


async def test_above_the_exact_size_another_process_is_followed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_feed, "VectorIndex", partial(VectorIndex, exact=30))
    path = tmp_path / "gallery.db"
    writer, reader = await SqliteGallery.open(path), await SqliteGallery.open(path)
    for number in range(60):
        await writer.enroll(new(f"p{number}", number), IfExists.REJECT)
        found = await reader.search("default", vector(number), ENCODER, 1)
        assert found.candidates[0].identity == f"p{number}"
    for number in range(0, 60, 7):
        await writer.forget_identity("default", f"p{number}")
        found = await reader.search("default", vector(number), ENCODER, 60)
        assert f"p{number}" not in {each.identity for each in found.candidates}
        assert len(found.candidates) == found.size
    await writer.close()
    await reader.close()
