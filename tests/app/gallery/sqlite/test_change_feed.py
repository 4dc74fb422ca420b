import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from app.gallery.base import IfExists
from app.gallery.sqlite import change_feed
from app.gallery.sqlite.change_feed import ChangeFeed
from app.gallery.sqlite.gallery import SqliteGallery
from app.gallery.sqlite.index import VectorIndex
from tests.support.galleries import ENCODER, new_template, unit_vector

pytestmark = pytest.mark.anyio


async def test_a_process_behind_the_pruned_changes_reloads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    first, second = await SqliteGallery.open(path), await SqliteGallery.open(path)
    await second.enroll(new_template("ada", 1), IfExists.REJECT)
    await second.enroll(new_template("bob", 2), IfExists.REJECT)
    await second.delete_identity("default", "ada")
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM changes WHERE seq < (SELECT max(seq) FROM changes)")
    raw.close()
    found = await first.search("default", unit_vector(1), ENCODER, 5)
    assert [each.identity for each in found.candidates] == ["bob"]
    await first.close()
    await second.close()


async def test_a_quantized_index_follows_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "VectorIndex", partial(VectorIndex, exact_limit=30))
    path = tmp_path / "gallery.db"
    writer, reader = await SqliteGallery.open(path), await SqliteGallery.open(path)
    for number in range(60):
        await writer.enroll(new_template(f"p{number}", number), IfExists.REJECT)
        found = await reader.search("default", unit_vector(number), ENCODER, 1)
        assert found.candidates[0].identity == f"p{number}"
    for number in range(0, 60, 7):
        await writer.delete_identity("default", f"p{number}")
        found = await reader.search("default", unit_vector(number), ENCODER, 60)
        assert f"p{number}" not in {each.identity for each in found.candidates}
        assert len(found.candidates) == found.size
    await writer.close()
    await reader.close()


async def test_a_clock_that_jumps_back_brings_no_expired_template_back(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    gallery = await SqliteGallery.open(path)
    soon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    await gallery.enroll(replace(new_template("ada", 1), expires_at=soon), IfExists.REJECT)
    await gallery.enroll(new_template("bob", 2), IfExists.REJECT)
    now = [soon - timedelta(seconds=1)]
    feed = ChangeFeed(path, 1.0, clock=lambda: now[0])
    sizes = []
    for jump in (0, 2, -3600, 3600):
        now[0] += timedelta(seconds=jump)
        feed.catch_up()
        sizes.append(len(feed.indexes["default"].vectors))
    assert sizes == [2, 1, 1, 1]
    assert (await gallery.get_identity("default", "ada")).templates  # stored until it is purged
    feed.close()
    await gallery.close()
