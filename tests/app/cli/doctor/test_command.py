import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.doctor import machine
from app.cli.doctor.finding import Finding
from app.settings import Settings
from tests.support.commands import run_command


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{tmp_path / 'gallery.db'}")
    monkeypatch.setenv("FACETWIN_BUNDLE", "lfw")
    monkeypatch.setenv("FACETWIN_DEVICE", "cpu")
    monkeypatch.setenv("FACETWIN_PORT", "0")


def test_a_good_installation_has_nothing_wrong(tmp_path: Path) -> None:
    report = json.loads(run_command("doctor", "--json").stdout)
    assert report["fine"] is True
    subjects = [each["subject"] for each in report["findings"]]
    for subject in (
        "python",
        "packages",
        "settings",
        "device",
        "memory",
        "disk",
        "port",
        "decoders",
        "bundle",
        "gallery",
    ):
        assert subject in subjects
    assert list(tmp_path.iterdir()) == []  # it changes nothing


def test_what_is_wrong_is_shown_with_what_to_do(tmp_path: Path) -> None:
    bundle = tmp_path / "my [bundle].pt"
    bundle.write_bytes(b"no bundle")
    output = run_command("doctor", exit_code=1, FACETWIN_BUNDLE=str(bundle)).stdout
    assert f"wrong   bundle     {bundle} cannot be read as a bundle" in output
    assert "-> Get the file again" in output
    assert "ok      gallery" in output  # the other checks still run


def test_bad_settings_are_shown_alone() -> None:
    output = run_command("doctor", exit_code=1, FACETWIN_THREDS="2").stdout
    assert "Unknown setting FACETWIN_THREDS" in output
    assert "bundle " not in output


def test_a_check_that_fails_itself_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Settings) -> Iterator[Finding]:
        raise RuntimeError("no idea")
        yield

    monkeypatch.setattr(machine, "check_memory", broken)
    output = run_command("doctor", exit_code=1).stdout
    assert "The check itself failed: RuntimeError: no idea" in output
    assert "ok      bundle" in output
