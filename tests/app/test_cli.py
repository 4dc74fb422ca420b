import asyncio
import json
import logging
import logging.config
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import cli, log_config
from app.gallery import open_gallery
from app.gallery.base import IfExists
from tests.support.galleries import new


def test_a_service_that_is_not_there_ends_with_words_and_status_1(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"x")
    done = CliRunner().invoke(cli, ["verify", str(photo), str(photo), "--url", "http://127.0.0.1:9"])
    assert done.exit_code == 1
    assert "No service answers" in done.output
    assert "Traceback" not in done.output


def test_a_photo_that_is_not_there_is_named() -> None:
    done = CliRunner().invoke(cli, ["identify", "nonesuch.jpg"])
    assert done.exit_code == 2
    assert "nonesuch.jpg" in done.output


def test_a_bad_setting_is_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_THREADS", "0")
    done = CliRunner().invoke(cli, ["serve"])
    assert done.exit_code == 1
    assert "threads" in done.output


def test_the_log_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logging.config.dictConfig(log_config("info"))
        logging.getLogger("facetwin").info("ready", extra={"bundle": "x"})
    finally:
        root.handlers[:], root.level = before
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["bundle"], line["level"]) == ("ready", "x", "INFO")


def test_a_gallery_is_checked_exported_and_imported_at_the_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def enroll() -> None:
        store = await open_gallery(f"sqlite:///{tmp_path / 'a.db'}")
        await store.enroll(new("ada", 1), IfExists.REJECT)
        await store.close()

    asyncio.run(enroll())
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{tmp_path / 'a.db'}")
    exported = CliRunner().invoke(cli, ["gallery", "export"])
    (tmp_path / "lines").write_text(exported.output, encoding="utf-8")
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{tmp_path / 'b.db'}")
    imported = CliRunner().invoke(cli, ["gallery", "import", str(tmp_path / "lines")])
    assert imported.output == "1 templates, of which 1 were new.\n"
    checked = CliRunner().invoke(cli, ["gallery", "check"])
    assert checked.exit_code == 0
    assert "default: 1 identities, 1 templates" in checked.output
