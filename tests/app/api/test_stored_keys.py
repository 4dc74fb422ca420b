"""Keys that are added and revoked while the service runs, and starts without any key."""

import sqlite3
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.api import key_ring
from app.cli.application import cli
from app.errors import NoKeys
from tests.support.fakes import RED, picture
from tests.support.problems import check_problem
from tests.support.service import Start, enroll


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(key_ring, "READ_AGAIN_S", 0.05)
    monkeypatch.setenv("FACETWIN_GALLERY_URL", f"sqlite:///{tmp_path / 'gallery.db'}")


def keys(*arguments: str) -> str:
    """Runs `facetwin keys` beside the service and returns what it prints to standard output."""
    done = CliRunner().invoke(cli, ["keys", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def wait_for(client: TestClient, path: str, status: int, key: str = "") -> Any:
    """Asks until the status is as expected."""
    deadline = time.monotonic() + 20
    headers = {"authorization": f"Bearer {key}"} if key else {}
    while (answer := client.get(path, headers=headers)).status_code != status and time.monotonic() < deadline:
        time.sleep(0.05)
    assert answer.status_code == status, answer.text
    return answer


def test_a_key_that_is_added_closes_an_open_service_and_revoking_it_does_not_open_it_again(start: Start) -> None:
    client = start()
    assert client.get("/identities").status_code == 200
    key = keys("add", "kiosk", "--scope", "read")
    check_problem(wait_for(client, "/identities", 401), 401, "unauthorized")
    assert wait_for(client, "/identities", 200, key).status_code == 200
    keys("revoke", "kiosk")
    check_problem(wait_for(client, "/identities", 401, key), 401, "unauthorized", "was revoked")
    time.sleep(0.3)
    assert client.get("/identities").status_code == 401
    again = start()  # nor does a restart
    assert again.get("/identities").status_code == 401


def test_foreign_pages_are_refused_only_while_no_key_is_needed(start: Start) -> None:
    client = start()
    foreign = {"origin": "https://evil.example"}
    check_problem(client.get("/identities", headers=foreign), 403, "foreign_request")
    key = keys("add", "kiosk", "--scope", "read")
    wait_for(client, "/identities", 200, key)
    wait_for(client, "/identities", 401)
    assert client.get("/identities", headers={**foreign, "authorization": f"Bearer {key}"}).status_code == 200


def test_a_public_address_without_any_key_does_not_start(start: Start) -> None:
    with pytest.raises(NoKeys, match="facetwin keys add"):
        start(host="0.0.0.0")
    key = keys("add", "kiosk", "--scope", "read")
    client = start(host="0.0.0.0")
    assert client.get("/identities").status_code == 401
    assert wait_for(client, "/identities", 200, key).status_code == 200
    keys("revoke", "kiosk")
    wait_for(client, "/identities", 401, key)
    with pytest.raises(NoKeys):
        start(host="0.0.0.0")


def test_keys_of_the_environment_and_stored_ones_serve_side_by_side(start: Start) -> None:
    stored = keys("add", "kiosk", "--scope", "read")
    client = start(api_keys="a-key-of-sixteen!")
    for key in (stored, "a-key-of-sixteen!"):
        assert wait_for(client, "/identities", 200, key).status_code == 200


def test_a_store_whose_keys_cannot_be_read_is_503_after_a_while(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_ring, "TRUSTED_S", 0.5)
    key = keys("add", "kiosk", "--scope", "read")
    client = start()
    wait_for(client, "/model", 200, key)
    with sqlite3.connect(tmp_path / "gallery.db") as raw:
        raw.execute("ALTER TABLE api_keys RENAME TO gone")
    raw.close()
    problem = wait_for(client, "/model", 503, key)
    check_problem(problem, 503, "gallery_unavailable")
    assert "retry-after" in problem.headers
    with sqlite3.connect(tmp_path / "gallery.db") as raw:
        raw.execute("ALTER TABLE gone RENAME TO api_keys")
    raw.close()
    wait_for(client, "/model", 200, key)


def test_the_log_and_the_audit_name_the_key_and_never_show_it(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACETWIN_AUDIT_KEY", "s" * 32)
    key = keys("add", "kiosk", "--scope", "enroll", "--scope", "delete")
    client = start(audit_key="s" * 32)
    assert wait_for(client, "/model", 200, key).json()["audit"] == "on"
    client.headers["authorization"] = f"Bearer {key}"
    enroll(client, "ada", picture(RED))
    client.delete("/identities/ada")
    done = CliRunner().invoke(cli, ["audit", "show", "--identity", "ada"])
    assert done.stdout.count('"by": "kiosk"') == 2
    assert "ada" not in done.stdout
    assert key not in caplog.text + done.stdout


def test_without_a_secret_the_model_card_says_that_nothing_is_audited(start: Start) -> None:
    assert start().get("/model").json()["audit"] == "off"


def list_names(client: TestClient, key: str) -> Sequence[str]:
    page = client.get("/identities", headers={"authorization": f"Bearer {key}"}).json()
    return [each["identity"] for each in page["identities"]]


def test_an_expired_key_is_refused(start: Start, tmp_path: Path) -> None:
    key = keys("add", "kiosk", "--scope", "read", "--expires-at", "2099-01-01T00:00:00Z")
    client = start()
    assert list_names(client, key) == []
    with sqlite3.connect(tmp_path / "gallery.db") as raw:
        past = datetime(2020, 1, 1, tzinfo=UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        raw.execute("UPDATE api_keys SET expires_at = ?", (past,))
    raw.close()
    check_problem(wait_for(client, "/identities", 401, key), 401, "unauthorized", "has expired")
