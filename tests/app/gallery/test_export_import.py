import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest

from app.errors import EncoderMismatch
from app.gallery import export_import, open_gallery
from app.gallery.base import Gallery, IfExists
from app.gallery.export_import import InvalidRecord, export_lines, find_integrity_errors, import_lines
from tests.support.galleries import ENCODER, new_template, unit_vector

pytestmark = pytest.mark.anyio


async def fill_gallery(url: str) -> Gallery:
    gallery = await open_gallery(url)
    for seed, name in enumerate(("ada", "bob", "Ärna", "ada")):
        await gallery.enroll(new_template(name, seed, metadata={"näme": [seed]}), IfExists.ADD)
    await gallery.enroll(replace(new_template("ada", 9, "staff"), detector="other"), IfExists.ADD)
    return gallery


async def export(gallery: Gallery, only: str | None = None) -> list[str]:
    return [line async for line in export_lines(gallery, only)]


async def test_a_gallery_moves_from_sqlite_to_postgresql_and_back_unchanged(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_import, "BATCH_SIZE", 2)  # several pages and transactions
    first = await fill_gallery(f"sqlite:///{tmp_path / 'first.db'}")
    lines = await export(first)
    assert len(lines) == 5
    postgres = await open_gallery(postgres_url)
    assert await import_lines(postgres, lines) == (5, 5)
    assert await import_lines(postgres, lines) == (0, 5)  # importing again adds nothing
    assert await export(postgres) == lines
    last = await open_gallery(f"sqlite:///{tmp_path / 'last.db'}")
    await import_lines(last, await export(postgres))
    assert await export(last) == lines
    before = await first.list_identities("default", None, 10)
    for gallery in (first, postgres, last):
        assert await gallery.list_identities("default", None, 10) == before
        found = await gallery.search("default", unit_vector(1), ENCODER, 2)
        assert (found.candidates[0].identity, found.size) == ("bob", 4)
        assert await find_integrity_errors(gallery) == []
        await gallery.close()


async def test_a_single_gallery_can_be_exported(tmp_path: Path) -> None:
    gallery = await fill_gallery(f"sqlite:///{tmp_path / 'a.db'}")
    (line,) = await export(gallery, "staff")
    assert '"gallery": "staff"' in line
    await gallery.close()


async def test_importing_templates_of_another_encoder_is_refused_and_adds_nothing(tmp_path: Path) -> None:
    gallery = await fill_gallery(f"sqlite:///{tmp_path / 'a.db'}")
    other = await open_gallery(f"sqlite:///{tmp_path / 'b.db'}")
    await other.enroll(new_template("cleo", 5, encoder_id="f" * 64), IfExists.REJECT)
    with pytest.raises(EncoderMismatch):
        await import_lines(other, await export(gallery))
    assert len(await export(other)) == 1
    await gallery.close()
    await other.close()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "Line 1 is not a template"),
        ("{}", "Line 1 has no field 'created_at'"),
        ("SHORT", "vector in line 1 does not have length 1"),
    ],
)
async def test_an_invalid_line_is_named_without_its_values(tmp_path: Path, line: str, message: str) -> None:
    gallery = await fill_gallery(f"sqlite:///{tmp_path / 'a.db'}")
    if line == "SHORT":
        page = await gallery.list_records(None, 1)
        line = export_import.format_record(replace(page[0], vector=page[0].vector / np.float32(2)))
    with pytest.raises(InvalidRecord, match=message) as refused:
        await import_lines(gallery, [line])
    assert "ada" not in str(refused.value)
    await gallery.close()


async def test_mixed_encoders_orphans_and_invalid_vectors_are_integrity_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    gallery = await fill_gallery(f"sqlite:///{path}")
    template = (await gallery.get_identity("default", "bob")).templates[0].template_id
    await gallery.close()
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM identities WHERE identity = 'ada'")
        raw.execute("UPDATE templates SET vector = zeroblob(32) WHERE template_id = ?", (template,))
        raw.execute("UPDATE templates SET encoder_id = 'x' WHERE identity = 'Ärna'")
    raw.close()
    gallery = await open_gallery(f"sqlite:///{path}")
    errors = "\n".join(await find_integrity_errors(gallery))
    assert "2 encoders" in errors
    assert "belong to no identity" in errors
    assert f"template {template} does not have length 1" in errors
    await gallery.close()


async def test_a_wrong_template_count_in_postgresql_is_an_integrity_error(postgres_url: str) -> None:
    gallery = await fill_gallery(postgres_url)
    assert await find_integrity_errors(gallery) == []
    with psycopg.connect(postgres_url, autocommit=True) as raw:
        raw.execute("UPDATE holdings SET templates = templates + 1")
    assert "holdings" in "\n".join(await find_integrity_errors(gallery))
    await gallery.close()
