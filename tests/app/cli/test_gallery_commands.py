import asyncio
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.application import cli
from app.gallery import open_gallery
from app.gallery.base import IfExists
from tests.support.galleries import new_template


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The export of a gallery with one template. Afterwards FACETWIN_GALLERY_URL names another, empty gallery."""

    async def enroll() -> None:
        store = await open_gallery(f"sqlite:///{tmp_path / 'a.db'}")
        await store.enroll(new_template("ada", 1), IfExists.REJECT)
        await store.close()

    asyncio.run(enroll())
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{tmp_path / 'a.db'}")
    output = invoke("export")
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{tmp_path / 'b [1].db'}")
    return output


def invoke(*arguments: str | Path, exit_code: int = 0) -> str:
    """Runs a gallery command and returns everything that it prints."""
    done = CliRunner().invoke(cli, ["gallery", *(str(each) for each in arguments)], env={"COLUMNS": "1000"})
    assert done.exit_code == exit_code, done.output
    assert "Traceback" not in done.output
    return done.output


def test_an_export_can_be_imported_and_checked(exported: str, tmp_path: Path) -> None:
    file = tmp_path / "export [1].ndjson"
    file.write_text(exported, encoding="utf-8")
    assert invoke("import", file) == "1 templates read, 1 of them new.\n"
    assert invoke("import", file) == "1 templates read, 0 of them new.\n"
    assert "default: 1 identities, 1 templates" in invoke("check")
    assert invoke("export", "--gallery", "default") == exported
    assert invoke("export", "--gallery", "staff") == ""


def test_a_missing_export_is_named(tmp_path: Path) -> None:
    assert "export [1].ndjson" in invoke("import", tmp_path / "export [1].ndjson", exit_code=2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"nonsense\n", "Line 1 is not a template"),
        (b"{}\n", "Line 1 has no field"),
    ],
)
@pytest.mark.usefixtures("exported")
def test_a_damaged_export_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "export.ndjson"
    file.write_bytes(content)
    assert message in invoke("import", file, exit_code=1)


@pytest.mark.parametrize("command", [["export"], ["check"], ["import", __file__]])
def test_a_file_that_is_not_a_gallery_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str]
) -> None:
    gallery = tmp_path / "my [1].db"
    gallery.write_bytes(b"this is not a database" * 100)
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{gallery}")
    output = invoke(*command, exit_code=2)
    assert f"The gallery {gallery} cannot be opened" in output
    assert len(output.splitlines()) == 1


def test_a_missing_extra_is_named_with_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.settings.find_spec", lambda name: None)
    monkeypatch.setenv("FACETWIN_GALLERY_URL", "postgresql://localhost/gallery")
    assert "pip install 'facetwin[postgres]'" in invoke("check", exit_code=2)


def test_an_unreachable_database_is_reported_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_GALLERY_URL", "postgresql://ada:secret-word@127.0.0.1:9/gallery")
    output = invoke("check", exit_code=2)
    assert "The PostgreSQL gallery cannot be opened" in output
    assert "secret-word" not in output


def test_a_damaged_gallery_fails_the_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exported: str) -> None:
    file = tmp_path / "export.ndjson"
    file.write_text(exported, encoding="utf-8")
    invoke("import", file)
    with sqlite3.connect(tmp_path / "b [1].db") as raw:
        raw.execute("DELETE FROM identities")
    raw.close()
    assert "1 templates belong to no identity." in invoke("check", exit_code=1)


def test_a_purge_says_first_what_it_would_delete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    monkeypatch.setenv("FACETWIN_GALLERY_URL", url)

    async def enroll() -> None:
        store = await open_gallery(url)
        expired = replace(new_template("ada", 1), expires_at=datetime(2020, 1, 1, tzinfo=UTC))
        await store.enroll(expired, IfExists.REJECT)
        await store.enroll(new_template("bob", 2), IfExists.REJECT)
        await store.close()

    asyncio.run(enroll())
    for _ in range(2):
        output = invoke("purge")
        assert "default: 1 templates and 1 identities would be deleted" in output
        assert "--yes" in output
        assert "ada" not in output
    assert "1 identities deleted" in invoke("purge", "--yes")
    assert invoke("purge", "--yes") == "No template has expired.\n"
    assert "default: 1 identities, 1 templates" in invoke("check")
    assert "Nothing that was removed is left" in invoke("erase")


def test_an_import_adds_the_other_lines_and_ends_with_status_1(exported: str, tmp_path: Path) -> None:
    file = tmp_path / "export.ndjson"
    file.write_bytes(b'{"identity": "\xff"}\n' + exported.encode())
    output = invoke("import", file, exit_code=1)
    assert "2 templates read, 1 of them new." in output
    assert "Line 1 is not UTF-8 text." in output
    assert "default: 1 identities, 1 templates" in invoke("check")
