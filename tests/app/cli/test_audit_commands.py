import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.application import cli
from app.gallery import open_gallery
from app.gallery.audit import AuditSecret
from app.gallery.base import IfExists
from tests.support.galleries import new_template

SECRET = "s" * 32


@pytest.fixture(autouse=True)
def url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A gallery with an audit log: ada and bob were enrolled by `kiosk`, then ada was deleted by `clerk`."""
    url = f"sqlite:///{tmp_path / 'gallery.db'}"

    async def fill() -> None:
        store = await open_gallery(url, secret=AuditSecret(SECRET.encode()))
        for number, name in enumerate(("ada", "bob")):
            await store.enroll(new_template(name, number), IfExists.REJECT, by="kiosk")
        await store.delete_identity("default", "ada", by="clerk")
        await store.close()

    asyncio.run(fill())
    monkeypatch.setenv("FACETWIN_GALLERY_URL", url)
    monkeypatch.setenv("FACETWIN_AUDIT_KEY", SECRET)
    return url


def run(*arguments: str, exit_code: int = 0) -> str:
    done = CliRunner().invoke(cli, arguments, env={"COLUMNS": "1000"})
    assert done.exit_code == exit_code, done.output
    assert "Traceback" not in done.output
    return done.output


def shown(*arguments: str) -> list[tuple[str, str]]:
    entries = [json.loads(line) for line in run("audit", "show", *arguments).splitlines()]
    return [(entry["by"], entry["action"]) for entry in entries]


def test_the_log_can_be_searched_by_person_gallery_and_key() -> None:
    every = [("kiosk", "enroll"), ("kiosk", "enroll"), ("clerk", "delete_identity")]
    assert shown() == shown("--gallery", "default") == every
    assert shown("--identity", "ada") == [("kiosk", "enroll"), ("clerk", "delete_identity")]
    assert shown("--identity", "ada", "--by", "clerk") == [("clerk", "delete_identity")]
    assert shown("--identity", "nobody") == shown("--gallery", "staff") == []


def test_an_export_is_recorded_before_it_prints_and_concerns_everybody_in_it() -> None:
    run("gallery", "export", "--gallery", "default")
    run("gallery", "export")
    assert shown("--identity", "ada")[2:] == [("command-line", "export"), ("command-line", "export")]
    assert shown("--gallery", "staff") == [("command-line", "export")]


def test_verify_prints_a_head_that_must_still_be_there_next_time(tmp_path: Path) -> None:
    output = run("audit", "verify")
    assert output.startswith("3 entries, head ")
    head = output.split()[-1]
    run("gallery", "export")
    assert "that of entry 3" in run("audit", "verify", "--expect", head)
    assert "removed from the end" in run("audit", "verify", "--expect", "0" * 64, exit_code=1)
    with sqlite3.connect(tmp_path / "gallery.db") as raw:
        raw.execute("DROP TRIGGER audit_refuses_UPDATE")
        raw.execute("UPDATE audit SET by = 'nobody' WHERE number = 2")
    raw.close()
    assert "Entry 2 was changed." in run("audit", "verify", exit_code=1)


def test_without_a_secret_the_commands_say_that_the_log_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACETWIN_AUDIT_KEY")
    for command in ("verify", "show"):
        assert "The audit log is off" in run("audit", command, exit_code=2)


def test_no_command_changes_a_gallery_with_a_log_without_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACETWIN_AUDIT_KEY")
    for command in (("gallery", "purge", "--yes"), ("gallery", "export"), ("keys", "add", "a", "--scope", "read")):
        assert "has an audit log" in run(*command, exit_code=2)
    monkeypatch.setenv("FACETWIN_ALLOW_UNAUDITED", "true")
    run("gallery", "export")
    monkeypatch.setenv("FACETWIN_AUDIT_KEY", "t" * 32)
    assert "another secret" in run("audit", "verify", exit_code=2)
