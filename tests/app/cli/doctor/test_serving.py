import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.callers import Scope
from app.cli.doctor import serving
from app.gallery import open_gallery
from app.gallery.api_keys import ApiKey
from app.gallery.base import IfExists
from app.settings import Settings
from tests.support.galleries import new_template

KEY = "a-key-of-sixteen!"


def settings(tmp_path: Path, **changes: Any) -> Settings:
    return Settings(**{"gallery_url": f"sqlite:///{tmp_path / 'gallery.db'}", "bundle": "lfw", **changes})


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """A gallery with one template, of an encoder that is not shipped."""

    async def enroll() -> None:
        store = await open_gallery(f"sqlite:///{tmp_path / 'gallery.db'}")
        await store.enroll(new_template("ada", 1), IfExists.REJECT)
        await store.close()

    asyncio.run(enroll())
    return tmp_path / "gallery.db"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FACETWIN_THREDS", "2", "Unknown setting FACETWIN_THREDS"),
        ("FACETWIN_THREADS", "0", "threads"),
        ("FACETWIN_AUDIT_KEY", "short", "fewer than 32 characters"),
    ],
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(name, value)
    found = serving.read_settings()
    assert isinstance(found, list)
    assert message in found[0].message
    assert found[0].state == "wrong"


def test_who_may_call_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [each.state for each in serving.check_settings(settings(tmp_path))] == ["ok"]
    assert "keys" in next(serving.check_settings(settings(tmp_path, api_keys=KEY))).message
    (open_to_all,) = serving.check_settings(settings(tmp_path, host="0.0.0.0", allow_anonymous=True))
    assert open_to_all.state == "warning"
    monkeypatch.setenv("FACETWIN_API_KEY", KEY)
    mistaken, _ = serving.check_settings(settings(tmp_path))
    assert "FACETWIN_API_KEYS" in mistaken.mend


def test_a_service_for_other_machines_without_any_key_is_found(tmp_path: Path) -> None:
    public = settings(tmp_path, host="0.0.0.0")
    assert [each.state for each in serving.check_settings(public)] == ["ok"]
    missing = next(serving.check_gallery(public))
    assert missing.state == "wrong"
    assert "facetwin keys add" in missing.mend

    async def add_key() -> None:
        store = await open_gallery(public.gallery_url)
        await store.keys.add(ApiKey("kiosk", "00", frozenset({Scope.READ}), None, datetime.now(UTC)))
        await store.close()

    asyncio.run(add_key())
    (finding,) = serving.check_gallery(public)
    assert finding.state == "ok"
    assert "1 active keys" in finding.message


def test_a_bundle_that_works_and_one_that_is_damaged(tmp_path: Path) -> None:
    assert [each.state for each in serving.check_bundle(settings(tmp_path, device="cpu"))] == ["ok"]
    bundle = tmp_path / "mine.pt"
    bundle.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    for broken in (str(bundle), "absent"):
        (finding,) = serving.check_bundle(settings(tmp_path, bundle=broken))
        assert finding.state == "wrong"
        assert "facetwin model list" in finding.mend


def test_decoders_that_start_and_that_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [each.state for each in serving.check_decoders(settings(tmp_path))] == ["ok"]
    monkeypatch.setattr("sys.executable", "/bin/false")
    (finding,) = serving.check_decoders(settings(tmp_path))
    assert finding.state == "wrong"


def test_a_gallery_that_does_not_exist_is_not_created(tmp_path: Path) -> None:
    (finding,) = serving.check_gallery(settings(tmp_path))
    assert (finding.state, "does not exist yet" in finding.message) == ("ok", True)
    assert list(tmp_path.iterdir()) == []


def test_templates_of_another_encoder_are_named(tmp_path: Path, gallery: Path) -> None:
    counted, mismatch = serving.check_gallery(settings(tmp_path))
    assert "1 people with 1 templates" in counted.message
    assert mismatch.state == "wrong"
    assert "FACETWIN_BUNDLE" in mismatch.mend


def test_a_gallery_that_others_can_read_is_named(tmp_path: Path, gallery: Path) -> None:
    gallery.chmod(0o644)
    assert "chmod 600" in list(serving.check_gallery(settings(tmp_path)))[1].mend


def test_a_damaged_locked_or_newer_gallery_is_named(tmp_path: Path, gallery: Path) -> None:
    with sqlite3.connect(gallery, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        (locked,) = serving.check_gallery(settings(tmp_path, gallery_timeout_s=0.2))
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.execute("COMMIT")
    other.close()
    (newer,) = serving.check_gallery(settings(tmp_path))
    gallery.write_bytes(b"this is no database" * 100)
    (damaged,) = serving.check_gallery(settings(tmp_path))
    assert "locked" in locked.message
    assert "newer facetwin" in newer.message
    assert "not a database" in damaged.message
    assert {each.state for each in (locked, newer, damaged)} == {"wrong"}


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://ada:secret-word@127.0.0.1:9/gallery"
    (finding,) = serving.check_gallery(settings(tmp_path, gallery_url=url))
    assert finding.state == "wrong"
    assert "secret-word" not in f"{finding.message}{finding.mend}"
