"""What only the SQLite gallery promises."""

import asyncio
import sqlite3
import stat
from pathlib import Path

import numpy as np
import pytest

from app.gallery import open_gallery
from app.gallery.base import GalleryError, IfExists
from app.gallery.sqlite.gallery import SqliteGallery
from tests.support.galleries import ENCODER, new_template, unit_vector

pytestmark = pytest.mark.anyio


async def test_opening_waits_for_another_process_that_creates_the_file(tmp_path: Path) -> None:
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


async def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    gallery = await open_gallery(f"sqlite:///{path}")
    await gallery.enroll(new_template("ada"), IfExists.REJECT)
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await gallery.close()


async def test_a_deleted_template_is_in_none_of_the_files(tmp_path: Path) -> None:
    gallery = await open_gallery(f"sqlite:///{tmp_path / 'gallery.db'}")
    await gallery.enroll(new_template("ada-lovelace", 5), IfExists.REJECT)
    needles = (unit_vector(5).astype("<f4").tobytes(), b"ada-lovelace")
    assert all(any(needle in file.read_bytes() for file in tmp_path.iterdir()) for needle in needles)
    await gallery.delete_identity("default", "ada-lovelace")
    for file in tmp_path.iterdir():
        assert not any(needle in file.read_bytes() for needle in needles), file.name
    await gallery.close()


async def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    path.write_bytes(b"this is not a database, but long enough to be read as the header of one" * 20)
    with pytest.raises(GalleryError, match="cannot be opened"):
        await SqliteGallery.open(path)


async def test_simultaneous_writers_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    galleries = [await SqliteGallery.open(path) for _ in range(3)]
    await asyncio.gather(
        *(
            gallery.enroll(new_template(f"{i}-{j}", 10 * i + j), IfExists.REJECT)
            for i, gallery in enumerate(galleries)
            for j in range(10)
        )
    )
    for gallery in galleries:
        assert (await gallery.search("default", np.ones(8, np.float32), ENCODER, 1)).size == 30
        await gallery.close()


async def test_a_file_in_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GalleryError, match="cannot be written"):
        await SqliteGallery.open(tmp_path / "file" / "gallery.db")


async def test_a_damaged_file_is_reported_as_such(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    gallery = await SqliteGallery.open(path)
    for number in range(50):
        await gallery.enroll(new_template(f"p{number}", number), IfExists.REJECT)
    await gallery.close()
    with sqlite3.connect(path) as raw:
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'identities'").fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    raw.close()
    with path.open("r+b") as file:  # the table of identities is not read on opening
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    gallery = await SqliteGallery.open(path)
    with pytest.raises(GalleryError, match=r"gallery\.db is unusable"):
        await gallery.list_identities("default", None, 10)
    await gallery.close()


async def test_a_deletion_cancelled_while_it_erases_is_reported_as_done(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    gallery = await open_gallery(f"sqlite:///{path}")
    await gallery.enroll(new_template("ada", 5), IfExists.REJECT)
    reader = sqlite3.connect(path, isolation_level=None)  # makes the erasure wait
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM identities").fetchone()
    other = sqlite3.connect(path, isolation_level=None)
    deleting = asyncio.ensure_future(gallery.delete_identity("default", "ada"))
    while other.execute("SELECT count(*) FROM identities").fetchone() != (0,):
        await asyncio.sleep(0.005)
    deleting.cancel()
    assert (await deleting).identities == ("ada",)
    assert not gallery.erasure().complete
    reader.close()
    other.close()
    await gallery.close()
