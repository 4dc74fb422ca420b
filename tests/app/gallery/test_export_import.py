import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from app.errors import EncoderMismatch
from app.gallery import export_import, open_gallery
from app.gallery.base import Gallery, IfExists
from app.gallery.export_import import ImportResult, export_lines, find_integrity_errors, import_lines
from app.gallery.rejection import NewRejection
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
    await first.add_rejection(NewRejection("default", "ada", unit_vector(20), ENCODER))
    lines = await export(first)
    assert len(lines) == 6
    postgres = await open_gallery(postgres_url)
    assert await import_lines(postgres, lines) == ImportResult(6, 6, ())
    assert await import_lines(postgres, lines) == ImportResult(0, 6, ())  # importing again adds nothing
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


async def test_a_rejection_of_nobody_is_refused_and_the_others_are_added(tmp_path: Path) -> None:
    gallery = await fill_gallery(f"sqlite:///{tmp_path / 'a.db'}")
    for seed, name in enumerate(("ada", "bob")):
        await gallery.add_rejection(NewRejection("default", name, unit_vector(20 + seed), ENCODER))
    other = await open_gallery(f"sqlite:///{tmp_path / 'b.db'}")
    lines = [line for line in await export(gallery) if '"bob"' not in line or "rejection_id" in line]
    result = await import_lines(other, lines)
    assert (result.new, result.total) == (5, 6)
    assert "is not in the store" in result.refused[0]
    assert len(await other.list_rejections("default", "ada")) == 1
    await gallery.close()
    await other.close()


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
        ("{}", "Line 1 has no field 'gallery'"),
        ("SHORT", "vector in line 1 does not have length 1"),
    ],
)
async def test_an_invalid_line_is_named_without_its_values(tmp_path: Path, line: str, message: str) -> None:
    gallery = await fill_gallery(f"sqlite:///{tmp_path / 'a.db'}")
    if line == "SHORT":
        page = await gallery.list_records(None, 1)
        line = export_import.format_record(replace(page[0], vector=page[0].vector / np.float32(2)))
    result = await import_lines(gallery, [line])
    (refused,) = result.refused
    assert message in refused
    assert "ada" not in refused
    await gallery.close()


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"in": value}
    return value


UNSTORABLE: dict[str, dict[str, Any]] = {
    "half a pair in the name": {"identity": "ada\ud800"},
    "NUL in the name": {"identity": "ada\0"},
    "a path as name": {"identity": ".."},
    "a slash in the name": {"identity": "a/b"},
    "no name": {"identity": "  "},
    "a number as name": {"identity": 7},
    "half a pair in the gallery": {"gallery": "\udfff"},
    "a path as gallery": {"gallery": "."},
    "half a pair in the metadata": {"metadata": {"town": "\udc80"}},
    "NaN in the metadata": {"metadata": {"height": float("nan")}},
    "deep metadata": {"metadata": nested(300)},
    "a list as metadata": {"metadata": []},
    "half a pair in the encoder": {"encoder_id": "\ud800"},
}


@pytest.mark.parametrize("wrong", UNSTORABLE.values(), ids=UNSTORABLE)
async def test_a_line_that_could_not_be_read_again_is_refused_and_the_others_are_added(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    gallery = await fill_gallery(f"sqlite:///{tmp_path / 'a.db'}")
    lines = await export(gallery)
    lines[1] = json.dumps({**json.loads(lines[1]), **wrong})
    other = await open_gallery(f"sqlite:///{tmp_path / 'b.db'}")
    result = await import_lines(other, lines)
    assert (result.new, result.total) == (4, 5)
    assert result.refused[0].startswith("Line 2 ")
    assert len(await export(other)) == 4
    assert await find_integrity_errors(other) == []
    await gallery.close()
    await other.close()


async def test_names_become_nfc(tmp_path: Path) -> None:
    gallery = await fill_gallery(f"sqlite:///{tmp_path / 'a.db'}")
    (line,) = await export(gallery, "staff")
    other = await open_gallery(f"sqlite:///{tmp_path / 'b.db'}")
    await import_lines(other, [line.replace('"ada"', '"A\u030ada"')])
    assert (await other.list_identities("staff", None, 9)).identities[0].identity == "\u00c5da"
    await gallery.close()
    await other.close()


async def break_text(url: str, metadata: str) -> None:
    """Stores what an old version accepted: metadata that cannot be sent, and a name that cannot be asked for."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as raw:
            raw.execute("UPDATE identities SET metadata = ? WHERE identity = 'bob'", (metadata,))
            raw.execute("PRAGMA foreign_keys = OFF")
            for table in ("identities", "templates"):
                raw.execute(f"UPDATE {table} SET identity = '..' WHERE gallery = 'staff'")
        raw.close()
        return
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE identities SET metadata = %s WHERE identity = 'bob'", (metadata,))
        connection.execute("SET session_replication_role = replica")  # the foreign key is not checked
        for table in ("identities", "templates"):
            connection.execute(f"UPDATE {table} SET identity = '..' WHERE gallery = 'staff'")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize("metadata", ['{"town": "\\ud800"}', '{"height": NaN}', "[" * 300 + "]" * 300, "[]", "no JSON"])
async def test_a_check_sees_what_cannot_be_read_and_lists_go_on(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, metadata: str
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else f"sqlite:///{tmp_path / 'a.db'}"
    gallery = await fill_gallery(url)
    await break_text(url, metadata)
    errors = "\n".join(await find_integrity_errors(gallery))
    assert "relative path" in errors
    assert "metadata of the person" in errors
    assert "bob" not in errors
    page = await gallery.list_identities("default", None, 9)
    assert json.dumps([dict(each.metadata) for each in page.identities], allow_nan=False, ensure_ascii=False).encode()
    assert len(await export(gallery)) == 5
    await gallery.close()


async def test_a_check_sees_names_that_are_not_utf8(tmp_path: Path) -> None:
    gallery = await fill_gallery(f"sqlite:///{tmp_path / 'a.db'}")
    with sqlite3.connect(tmp_path / "a.db") as raw:
        for table in ("identities", "templates"):
            raw.execute(f"UPDATE {table} SET identity = CAST(x'61ff' AS TEXT) WHERE gallery = 'staff'")
    raw.close()
    assert "half of a surrogate pair" in "\n".join(await find_integrity_errors(gallery))
    assert len((await gallery.list_identities("staff", None, 9)).identities) == 1
    assert len((await gallery.search("staff", unit_vector(9), ENCODER, 1)).candidates) == 1
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
