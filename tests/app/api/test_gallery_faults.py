"""What clients see while the gallery's database cannot be used."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message

from app.settings import Settings
from tests.support.asgi import ask
from tests.support.fakes import BLUE, RED, REDDISH, picture
from tests.support.service import Start, enroll, fake_app, identify, verify


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process holds the lock that every writer needs."""
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    yield
    raw.close()


def test_a_locked_gallery_is_503_with_retry_after_and_stops_nothing_else(start: Start, tmp_path: Path) -> None:
    client = start(gallery_timeout_s=0.2)
    enroll(client, "ruby", picture(RED))
    with locked(tmp_path / "gallery.db"):
        for refused in (
            enroll(client, "azure", picture(BLUE)),
            client.patch("/identities/ruby", json={"identity": "scarlet"}),
            client.delete("/identities/ruby"),
            client.delete("/galleries/default"),
        ):
            assert (refused.status_code, refused.json()["code"]) == (503, "gallery_unavailable")
            assert int(refused.headers["retry-after"]) >= 1
            assert "Nothing was stored" in refused.json()["detail"]
        assert verify(client, picture(RED), picture(REDDISH)).json()["verified"]
        assert identify(client, picture(REDDISH)).json()["identity"] == "ruby"
        assert [each["identity"] for each in client.get("/identities").json()["identities"]] == ["ruby"]
    assert enroll(client, "azure", picture(BLUE)).status_code == 201


def wait_for_status(client: TestClient, status: int) -> str:
    """Asks until /readyz has the status, and returns its answer."""
    deadline = time.monotonic() + 30
    while (answer := client.get("/readyz")).status_code != status and time.monotonic() < deadline:
        time.sleep(0.1)
    assert answer.status_code == status
    text: str = answer.text
    return text


def test_readyz_says_when_the_gallery_cannot_be_used_and_when_it_can_again(start: Start, tmp_path: Path) -> None:
    client = start(gallery_timeout_s=0.2)
    wait_for_status(client, 200)
    with locked(tmp_path / "gallery.db"):
        assert "gallery cannot be used" in wait_for_status(client, 503)
        assert client.get("/healthz").status_code == 200
    wait_for_status(client, 200)


def test_receipts_say_what_is_left_in_the_files(client: TestClient, tmp_path: Path) -> None:
    enroll(client, "ruby", picture(RED))
    assert client.patch("/identities/ruby", json={"identity": "scarlet"}).json()["erasure"]["complete"]
    reader = sqlite3.connect(tmp_path / "gallery.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM identities").fetchone()
    replaced = enroll(client, "scarlet", picture(RED), if_exists="replace").json()
    assert "not_erased_yet" in [each["code"] for each in replaced["warnings"]]
    receipt = client.delete("/identities/scarlet").json()
    assert receipt["identities"] == ["scarlet"]
    assert not receipt["erasure"]["complete"]
    assert "another process is reading" in receipt["erasure"]["detail"]
    reader.close()


def test_a_corrupt_page_is_503_where_it_is_read_and_the_rest_is_served(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    client = start()
    for number in range(40):
        enroll(client, f"ruby {number:03}", picture(RED))
    client.__exit__(None, None, None)
    with sqlite3.connect(path) as raw:
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'identities'").fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    raw.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    client = start()
    listed = client.get("/identities")
    assert (listed.status_code, listed.json()["code"]) == (503, "gallery_unavailable")
    assert "retry-after" in listed.headers
    assert identify(client, picture(REDDISH)).json()["gallery_size"] == 40  # every template is still there
    assert verify(client, picture(RED), picture(REDDISH)).status_code == 200


class SlowUpload:
    """An enrollment whose last part arrives late."""

    def __init__(self, seconds: float) -> None:
        part = b'--a\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        fields = part % (b"identity", b"", b"azure") + part % (b"image", b'; filename="a.png"', picture(BLUE))
        self.pieces, self.seconds = [fields, b"--a--\r\n"], seconds

    async def receive(self) -> Message:
        if not self.pieces:
            await asyncio.Event().wait()
        if len(self.pieces) == 1:
            await asyncio.sleep(self.seconds)
        return {"type": "http.request", "body": self.pieces.pop(0), "more_body": bool(self.pieces)}


@pytest.mark.anyio
async def test_a_fault_of_the_gallery_is_503_also_after_a_slow_upload(tmp_path: Path) -> None:
    path = tmp_path / "gallery.db"
    app = fake_app(Settings(gallery_url=f"sqlite:///{path}", gallery_timeout_s=0.2, deadline_s=6.0, upload_s=60.0))
    async with app.router.lifespan_context(app):
        with locked(path):
            answer = await ask(app, "POST", "/enroll", SlowUpload(7), content_type="multipart/form-data; boundary=a")
            assert (answer.status, answer.code) == (503, "gallery_unavailable")
