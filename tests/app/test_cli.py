import json
import logging
import logging.config
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import cli, log_config


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
