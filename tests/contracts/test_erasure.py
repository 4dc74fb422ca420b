"""The contract of every gallery: what a receipt says about the files is true."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest

from app.gallery import open_gallery
from app.gallery.base import Gallery, IfExists
from tests.support.galleries import new_template, unit_vector

pytestmark = pytest.mark.anyio

NAME, SECRET = "ada-lovelace", "analytical-engine"
Removal = Callable[[Gallery], Awaitable[object]]

REMOVALS: dict[str, Removal] = {
    "deletion": lambda gallery: gallery.delete_identity("default", NAME),
    "rename": lambda gallery: gallery.edit_identity("default", NAME, "somebody", {}),
    "metadata": lambda gallery: gallery.enroll(new_template(NAME, 6, metadata={}), IfExists.ADD),
    "replacement": lambda gallery: gallery.enroll(new_template(NAME, 6, metadata={}), IfExists.REPLACE),
    "merge": lambda gallery: gallery.merge_identity("default", NAME, "bob"),
}
LEFT_BY: dict[str, set[str]] = {  # what a removal is meant to keep
    "deletion": set(),
    "rename": {"vector"},
    "metadata": {"name", "vector"},
    "replacement": {"name"},
    "merge": {"vector"},
}


def needles(removal: str) -> dict[str, bytes]:
    """What must be gone after a removal."""
    all_of_them = {"name": NAME.encode(), "secret": SECRET.encode(), "vector": unit_vector(5).astype("<f4").tobytes()}
    return {what: needle for what, needle in all_of_them.items() if what not in LEFT_BY[removal]}


def found_in(folder: Path, removal: str) -> set[str]:
    files = [file.read_bytes() for file in folder.iterdir()]
    return {what for what, needle in needles(removal).items() if any(needle in content for content in files)}


async def fill(url: str) -> Gallery:
    gallery = await open_gallery(url)
    await gallery.enroll(new_template("bob", 1), IfExists.REJECT)
    await gallery.enroll(new_template(NAME, 5, metadata={"project": SECRET}), IfExists.REJECT)
    return gallery


@pytest.mark.parametrize("removal", REMOVALS)
async def test_a_complete_erasure_leaves_nothing_in_any_file_of_sqlite(tmp_path: Path, removal: str) -> None:
    gallery = await fill(f"sqlite:///{tmp_path / 'gallery.db'}")
    assert found_in(tmp_path, removal) == set(needles(removal))
    await REMOVALS[removal](gallery)
    assert gallery.erasure().complete
    assert found_in(tmp_path, removal) == set()
    await gallery.close()


@pytest.mark.parametrize("removal", REMOVALS)
async def test_while_another_process_reads_the_answer_says_what_remains_and_then_it_goes(
    tmp_path: Path, removal: str
) -> None:
    path = tmp_path / "gallery.db"
    gallery = await fill(f"sqlite:///{path}")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM identities").fetchone()
    await REMOVALS[removal](gallery)
    assert not gallery.erasure().complete
    assert "another process is reading" in gallery.erasure().detail
    assert found_in(tmp_path, removal)  # so the answer is true
    reader.close()
    deadline = time.monotonic() + 60
    while not gallery.erasure().complete and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    assert gallery.erasure().complete
    assert found_in(tmp_path, removal) == set()
    await gallery.close()


async def test_opening_a_gallery_removes_what_a_killed_process_left_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    gallery = await fill(f"sqlite:///{path}")
    with sqlite3.connect(path) as raw:  # a process that ends between its commit and the erasure
        raw.execute("PRAGMA secure_delete=ON")
        raw.execute("DELETE FROM templates WHERE identity = ?", (NAME,))
        raw.execute("DELETE FROM identities WHERE identity = ?", (NAME,))
    assert found_in(tmp_path, "deletion")
    other = await open_gallery(f"sqlite:///{path}")
    assert found_in(tmp_path, "deletion") == set()
    raw.close()
    await other.close()
    await gallery.close()


async def test_postgresql_says_what_it_keeps_and_a_command_rewrites_its_tables(postgres_url: str) -> None:
    gallery = await fill(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as raw:
        folder = Path(str(raw.execute("SHOW data_directory").fetchone()[0]))  # type: ignore[index]

        def found_in_tables() -> bool:
            raw.execute("CHECKPOINT")  # writes what is only in memory
            query = "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relname IN ('identities', 'templates')"
            files = [folder / path for (path,) in raw.execute(query)]
            return any(needle in file.read_bytes() for needle in needles("deletion").values() for file in files)

        await gallery.delete_identity("default", NAME)
        assert not gallery.erasure().complete
        assert found_in_tables()  # so the answer is true
        assert "write-ahead log" in (await gallery.erase_remains()).detail
        assert not found_in_tables()
    await gallery.close()


async def test_after_many_changes_the_files_hold_only_what_is_enrolled(tmp_path: Path) -> None:
    drawn = random.Random(3)
    gallery = await open_gallery(f"sqlite:///{tmp_path / 'gallery.db'}")
    alive: dict[str, int] = {}  # name -> seed
    gone: list[bytes] = []
    for number in range(60):
        if drawn.random() < 0.55 or not alive:
            metadata = {"text": f"secret-{number:03}-" + "x" * drawn.choice([0, 50, 2000, 9000])}  # also long ones
            await gallery.enroll(new_template(f"name-{number:03}", number, metadata=metadata), IfExists.REJECT)
            alive[f"name-{number:03}"] = number
            continue
        name = drawn.choice(sorted(alive))
        seed = alive.pop(name)
        gone += [name.encode(), f"secret-{seed:03}".encode()]
        if drawn.random() < 0.5:
            await gallery.delete_identity("default", name)
            gone.append(unit_vector(seed).astype("<f4").tobytes())
        else:
            await gallery.edit_identity("default", name, f"new-{number:03}", {})
            alive[f"new-{number:03}"] = seed
    assert len(gone) > 30
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert all(name.encode() in content for name in alive)
    assert not [needle for needle in gone if needle in content]
    await gallery.close()
