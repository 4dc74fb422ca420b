import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.application import cli


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{tmp_path / 'gallery.db'}")


def keys(*arguments: str, exit_code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["keys", *arguments], env={"COLUMNS": "1000"})
    assert done.exit_code == exit_code, done.output
    assert "Traceback" not in done.output
    return done


def test_a_key_is_printed_once_and_alone_so_that_a_script_can_take_it() -> None:
    first, second = keys("add", "a", "--scope", "read"), keys("add", "b", "--scope", "read")
    for done in (first, second):
        assert re.fullmatch(r"ft_[A-Za-z0-9]{43}\n", done.stdout)
        assert done.stdout.strip() not in keys("list").output
    assert first.stdout != second.stdout
    assert "answer nobody without a key" in first.stderr
    assert "answer nobody" not in second.stderr


def test_the_list_shows_scopes_galleries_expiry_and_state() -> None:
    assert "There are no keys" in keys("list").stderr
    keys("add", "kiosk", "--scope", "verify", "--scope", "identify", "--gallery", "b", "--gallery", "a")
    keys("add", "door", "--scope", "admin", "--expires-at", "2099-01-01T01:00:00+01:00")
    assert "1 other keys are active" in keys("revoke", "kiosk").stdout
    door, kiosk = keys("list").stdout.splitlines()
    assert door.startswith("door  active  scopes=admin  galleries=any  created=")
    assert door.endswith("expires=2099-01-01T00:00:00Z")
    assert kiosk.startswith("kiosk  revoked  scopes=identify,verify  galleries=a,b  created=")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "a"), "--scope"),
        (("add", "a", "--scope", "everything"), "admin"),
        (("add", "A b", "--scope", "read"), "The name must have 1 to 64"),
        (("add", "environment-1", "--scope", "read"), "callers that have no stored key"),
        (("add", "anonymous", "--scope", "read"), "callers that have no stored key"),
        (("add", "a", "--scope", "read", "--gallery", "a/b"), "The name must have"),
        (("add", "a", "--scope", "read", "--expires-at", "soon"), "is not a time"),
        (("add", "a", "--scope", "read", "--expires-at", "2099-01-01"), "no time zone"),
        (("add", "a", "--scope", "read", "--expires-at", "2020-01-01T00:00:00Z"), "in the past"),
        (("revoke", "nobody"), "no key named 'nobody'"),
    ],
)
def test_a_mistake_is_named_and_stores_nothing(arguments: tuple[str, ...], words: str) -> None:
    assert words in keys(*arguments, exit_code=2).output
    assert keys("list").stdout == ""


def test_a_name_is_used_once() -> None:
    keys("add", "a", "--scope", "read")
    keys("revoke", "a")
    assert "Choose another name" in keys("add", "a", "--scope", "read", exit_code=2).output
