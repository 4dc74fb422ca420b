import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.api.key_ring import KeyRing
from app.cli.client.in_process import IN_PROCESS_URL, open_in_process, run_in_process
from app.settings import Settings
from facetwin_client import Facetwin, PhotoRefused
from tests.support.commands import run_command
from tests.support.fakes import BLUE, RED, picture
from tests.support.service import fake_app


def test_the_answers_are_those_of_a_service(tmp_path: Path) -> None:
    app = fake_app(Settings(gallery_url=f"sqlite:///{tmp_path / 'gallery.db'}"))
    with (
        run_in_process(app, app.router.lifespan_context) as transport,
        Facetwin(IN_PROCESS_URL, "", transport=transport) as service,
    ):
        service.enroll("ruby", picture(RED))
        assert service.identify(picture(RED)).identity == "ruby"
        with pytest.raises(PhotoRefused, match="No face was found"):
            service.embed(picture((0, 0, 0)))
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(service.identify, [picture(RED), picture(BLUE)] * 4))
    assert [each.decision for each in found] == ["match", "unknown"] * 4
    assert threading.active_count() < 20


def test_a_start_that_fails_ends_in_its_error() -> None:
    @asynccontextmanager
    async def lifespan(app: Any) -> Any:
        raise ValueError("no weights")
        yield

    with pytest.raises(ValueError, match="no weights"), run_in_process(None, lifespan):
        pass


def test_a_service_that_cannot_start_is_named(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    photo.write_bytes(picture(RED))
    bundle = tmp_path / "my [bundle].pt"
    output = run_command("verify", photo, photo, "--local", exit_code=2, FACETWIN_BUNDLE=str(bundle)).output
    assert f"There is no bundle '{bundle}'" in output
    output = run_command("verify", photo, photo, "--local", exit_code=2, FACETWIN_THREADS="0").output
    assert "threads" in output


def test_settings_for_callers_of_other_machines_do_not_hinder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{tmp_path / 'gallery.db'}")
    for name, value in {
        "HOST": "0.0.0.0",
        "API_KEYS": "a-key-of-sixteen!",
        "RATE_LIMITS": "1/hour",
        "ROOT_PATH": "/faces",
        "ALLOWED_HOSTS": "faces.example",
    }.items():
        monkeypatch.setenv(f"FACETWIN_{name}", value)
    seen: list[Settings] = []

    def fake_create_app(settings: Settings, keys: KeyRing) -> Any:
        seen.append(settings)
        return fake_app(settings, keys=keys)

    monkeypatch.setattr("app.main.create_app", fake_create_app)
    for needs_gallery in (False, True):
        with (
            open_in_process(needs_gallery=needs_gallery) as transport,
            Facetwin(IN_PROCESS_URL, "", transport=transport) as service,
        ):
            assert [service.detect(picture(RED)).width for _ in range(3)] == [64] * 3
        assert (tmp_path / "gallery.db").exists() is needs_gallery
    assert "gallery.db" in seen[1].gallery_url


def test_keys_of_the_gallery_do_not_hinder_and_the_audit_names_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{tmp_path / 'gallery.db'}")
    monkeypatch.setenv("FACETWIN_AUDIT_KEY", "s" * 32)
    monkeypatch.setattr("app.main.create_app", lambda settings, keys: fake_app(settings, keys=keys))
    run_command("keys", "add", "kiosk", "--scope", "read")
    with (
        open_in_process(needs_gallery=True) as transport,
        Facetwin(IN_PROCESS_URL, "", transport=transport) as service,
    ):
        service.enroll("ruby", picture(RED))
    (entry,) = run_command("audit", "show", "--identity", "ruby").output.splitlines()
    assert '"by": "command-line"' in entry
