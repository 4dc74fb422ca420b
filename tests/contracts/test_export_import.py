from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest

from app.errors import EncoderMismatch
from app.gallery import export_import as travel
from app.gallery import open_gallery
from app.gallery.base import Gallery, IfExists
from app.gallery.export_import import NotARecord, export_lines, import_lines, problems_of
from tests.support.galleries import ENCODER, new, vector

pytestmark = pytest.mark.anyio


async def filled(url: str) -> Gallery:
    gallery = await open_gallery(url)
    for seed, name in enumerate(("ada", "bob", "Ärna", "ada")):
        await gallery.enroll(new(name, seed, metadata={"näme": [seed]}), IfExists.ADD)
    await gallery.enroll(replace(new("ada", 9, "staff"), detector="other"), IfExists.ADD)
    return gallery


async def lines_of(gallery: Gallery, only: str | None = None) -> list[str]:
    return [line async for line in export_lines(gallery, only)]


async def test_a_gallery_goes_from_sqlite_to_postgresql_and_back_unchanged(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(travel, "AT_ONCE", 2)  # several pages and transactions
    first = await filled(f"sqlite:///{tmp_path / 'first.db'}")
    lines = await lines_of(first)
    assert len(lines) == 5
    postgres = await open_gallery(postgres_url)
    assert await import_lines(postgres, lines) == (5, 5)
    assert await import_lines(postgres, lines) == (0, 5)  # again: nothing twice
    assert await lines_of(postgres) == lines
    last = await open_gallery(f"sqlite:///{tmp_path / 'last.db'}")
    await import_lines(last, await lines_of(postgres))
    assert await lines_of(last) == lines
    before = await first.identities("default", None, 10)
    for gallery in (first, postgres, last):
        assert await gallery.identities("default", None, 10) == before
        found = await gallery.search("default", vector(1), ENCODER, 2)
        assert (found.candidates[0].identity, found.size) == ("bob", 4)
        assert await problems_of(gallery) == []
        await gallery.close()


async def test_one_gallery_can_be_exported_alone(tmp_path: Path) -> None:
    gallery = await filled(f"sqlite:///{tmp_path / 'a.db'}")
    (line,) = await lines_of(gallery, "staff")
    assert '"gallery": "staff"' in line
    await gallery.close()


async def test_templates_of_another_encoder_are_refused_and_nothing_of_their_batch_is_kept(tmp_path: Path) -> None:
    gallery = await filled(f"sqlite:///{tmp_path / 'a.db'}")
    other = await open_gallery(f"sqlite:///{tmp_path / 'b.db'}")
    await other.enroll(new("cleo", 5, encoder_id="f" * 64), IfExists.REJECT)
    with pytest.raises(EncoderMismatch):
        await import_lines(other, await lines_of(gallery))
    assert len(await lines_of(other)) == 1
    await gallery.close()
    await other.close()


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("nonsense", "Line 1 is no template"),
        ("{}", "Line 1 has no field 'created_at'"),
        ("SHORT", "vector of line 1 has not the length 1"),
    ],
)
async def test_a_line_that_is_no_template_is_named_without_its_values(tmp_path: Path, broken: str, says: str) -> None:
    gallery = await filled(f"sqlite:///{tmp_path / 'a.db'}")
    if broken == "SHORT":
        page = await gallery.records(None, 1)
        broken = travel.to_line(replace(page[0], vector=page[0].vector / np.float32(2)))
    with pytest.raises(NotARecord, match=says) as refused:
        await import_lines(gallery, [broken])
    assert "ada" not in str(refused.value)
    await gallery.close()


async def test_a_store_with_two_encoders_and_a_broken_vector_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    gallery = await filled(f"sqlite:///{path}")
    template = (await gallery.identity("default", "bob")).templates[0].template_id
    await gallery.close()
    import sqlite3

    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM identities WHERE identity = 'ada'")
        raw.execute("UPDATE templates SET vector = zeroblob(32) WHERE template_id = ?", (template,))
        raw.execute("UPDATE templates SET encoder_id = 'x' WHERE identity = 'Ärna'")
    raw.close()
    gallery = await open_gallery(f"sqlite:///{path}")
    problems = "\n".join(await problems_of(gallery))
    assert "2 encoders" in problems
    assert "are nobody's" in problems
    assert f"template {template} has not the length 1" in problems
    await gallery.close()


async def test_a_wrong_count_in_postgresql_is_told_of(postgres_url: str) -> None:
    gallery = await filled(postgres_url)
    assert await problems_of(gallery) == []
    with psycopg.connect(postgres_url, autocommit=True) as raw:
        raw.execute("UPDATE holdings SET templates = templates + 1")
    assert "holdings" in "\n".join(await problems_of(gallery))
    await gallery.close()
