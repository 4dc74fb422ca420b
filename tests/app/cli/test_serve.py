import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.application import cli
from model.encoder.bundle import find_bundle


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{tmp_path / 'gallery.db'}")
    monkeypatch.setenv("FACETWIN_PORT", "0")


def fail_early() -> str:
    """Runs `facetwin serve` with settings that must be refused, and returns its output."""
    done = CliRunner().invoke(cli, ["serve"])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    return done.output


def fail_to_start(script: str = "") -> str:
    """Runs `script` and `facetwin serve` in a process of its own, which must not start, and returns its output."""
    code = f"{script}\nfrom app.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
    )
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def test_an_invalid_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_THREADS", "0")
    assert "threads" in fail_early()


def test_an_unknown_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_THREDS", "2")
    assert "Unknown setting FACETWIN_THREDS" in fail_early()


def test_a_missing_extra_is_named_with_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.settings.find_spec", lambda name: None)
    monkeypatch.setenv("FACETWIN_GALLERY_URL", "postgresql://localhost/gallery")
    assert "pip install 'facetwin[postgres]'" in fail_early()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_damaged_bundle_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workers: str) -> None:
    bundle = tmp_path / "my[bundle].pt"
    bundle.write_bytes(b"not a bundle")
    monkeypatch.setenv("FACETWIN_BUNDLE", str(bundle))
    monkeypatch.setenv("FACETWIN_WORKERS", workers)
    assert f"\n{bundle}" in fail_to_start()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_unusable_gallery_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workers: str) -> None:
    gallery = tmp_path / "my[gallery].db"
    gallery.write_bytes(b"not a database, whatever its name says" * 100)
    monkeypatch.setenv("FACETWIN_BUNDLE", "lfw")
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{gallery}")
    monkeypatch.setenv("FACETWIN_WORKERS", workers)
    assert f"\nThe gallery {gallery}" in fail_to_start()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_gallery_that_another_process_locks_ends_the_start_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workers: str
) -> None:
    path = tmp_path / "gallery.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setenv("FACETWIN_BUNDLE", "lfw")
    monkeypatch.setenv("FACETWIN_GALLERY_TIMEOUT_S", "0.5")
    monkeypatch.setenv("FACETWIN_WORKERS", workers)
    assert "database is locked" in fail_to_start()
    other.close()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_bundle_that_was_cut_off_ends_the_start_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workers: str
) -> None:
    bundle = tmp_path / "cut.pt"
    bundle.write_bytes(find_bundle("lfw").read_bytes()[:-1000])
    monkeypatch.setenv("FACETWIN_BUNDLE", str(bundle))
    monkeypatch.setenv("FACETWIN_WORKERS", workers)
    assert f"\n{bundle}" in fail_to_start()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_address_in_use_ends_the_start(monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("FACETWIN_PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("FACETWIN_BUNDLE", "lfw")
        monkeypatch.setenv("FACETWIN_WORKERS", workers)
        assert "address already in use" in fail_to_start().lower()


WITHOUT_NETWORKS = """
import app.main
from app.cli import main
from model.runtime.torchscript import BundleError

def refuse(*_):
    raise BundleError("liveness.pt cannot be read as a bundle. Get the file again.")

app.main.open_judge = refuse
main()
"""


def test_a_service_that_must_judge_liveness_does_not_start_without_its_networks(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FACETWIN_")}
    environment |= {"FACETWIN_LIVENESS": "require", "FACETWIN_GALLERY_URL": f"sqlite:///{tmp_path / 'gallery.db'}"}
    command = [sys.executable, "-c", WITHOUT_NETWORKS, "serve", "--port", "0"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 2
    assert "Liveness cannot be judged" in ended.stdout + ended.stderr
