"""Faults of a gallery's database, and what clients see meanwhile. In one process, with fake networks."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from fastapi.testclient import TestClient

from app.settings import Settings
from benchmarks.trust.row import Options, Row, faults_of
from benchmarks.trust.service import POSTGRES, SQLITE, new_store
from tests.support.fakes import BLUE, RED, REDDISH, picture
from tests.support.faults import full, locked, read_only
from tests.support.postgres_server import PostgresServer
from tests.support.service import enroll, fake_app, identify, verify

WAIT_S: Final = 0.5  # FACETWIN_GALLERY_TIMEOUT_S
SLACK_S: Final = 15.0  # a busy machine may be that late
TRIES: Final = 40
LARGE: Final = '{"text": "' + "x" * 16_000 + '"}'  # needs pages that a full database does not have


@contextmanager
def _gone(server: PostgresServer) -> Iterator[None]:
    """The server has stopped; it starts again at the end."""
    server.stop()
    try:
        yield
    finally:
        server.start()


def attack(options: Options) -> Iterator[Row]:
    """Yields a row for each store and fault."""
    for store in (SQLITE, POSTGRES):
        for name, fault in (("locked", locked), ("full", full), ("read-only", read_only)):
            yield _provoke(options, store, name, fault)
    yield _provoke(options, POSTGRES, "stopped and started again", None)


def _provoke(options: Options, store: str, name: str, fault: Any) -> Row:
    row = Row(f"gallery {name}, {store}")
    with faults_of(row), new_store(store, options) as url:
        settings = Settings(gallery_url=url, gallery_timeout_s=WAIT_S)
        app = fake_app(settings)
        with TestClient(app, "http://127.0.0.1:8000", raise_server_exceptions=False) as client:
            enroll(client, "ruby", picture(RED)).raise_for_status()
            acknowledged = {"ruby"}
            broken: AbstractContextManager[None] = (
                fault(url, app.state.service.gallery._store) if fault else _gone(options.postgres)
            )
            with broken:
                for number in range(TRIES):
                    answer = _timed(row, "enroll", enroll, client, f"p{number}", picture(BLUE), metadata=LARGE)
                    if answer.status_code == 201:
                        acknowledged.add(f"p{number}")
                    else:
                        _require_unavailable(row, answer)
                    if number > 3 and answer.status_code != 201:
                        break
                row.require(answer.status_code == 503, "the fault was never seen")
                found = _timed(row, "identify", identify, client, picture(REDDISH))
                if fault:
                    row.require(found.status_code == 200, "a search fails although it writes nothing")
                else:
                    _require_unavailable(row, found)
                compared = _timed(row, "verify", verify, client, picture(RED), picture(REDDISH))
                row.require(compared.status_code == 200, "/verify fails although it needs no gallery")
                row.require(client.get("/healthz").status_code == 200, "/healthz fails")
                # This fault leaves SQLite room for the row that /readyz rewrites; a disk without any does not.
                if not (store == SQLITE and fault is full):
                    row.require(_wait_for(client, 503), "/readyz does not tell")
            row.require(_wait_for(client, 200), "/readyz does not recover")
            again = enroll(client, "after", picture(BLUE), metadata=LARGE)
            row.see(f"enroll afterwards {again.status_code}")
            row.require(again.status_code == 201, "it does not recover")
            listed = client.get("/identities", params={"limit": 500}).json()["identities"]
            row.lost = len(acknowledged - {each["identity"] for each in listed})
    return row


def _timed(row: Row, what: str, call: Any, *arguments: Any, **options: Any) -> Any:
    start = time.monotonic()
    answer = call(*arguments, **options)
    seconds = time.monotonic() - start
    code = f" {answer.json()['code']}" if answer.status_code >= 400 else ""
    row.see(f"{what} {answer.status_code}{code}")
    row.require(seconds < WAIT_S + SLACK_S, f"{what}: answered after {seconds:.0f} s")
    return answer


def _require_unavailable(row: Row, answer: Any) -> None:
    row.require((answer.status_code, answer.json()["code"]) == (503, "gallery_unavailable"), "another answer than 503")
    row.require(int(answer.headers.get("retry-after", 0)) >= 1, "no Retry-After")


def _wait_for(client: TestClient, status: int) -> bool:
    """Asks /readyz until it has the status, at most a minute."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if client.get("/readyz").status_code == status:
            return True
        time.sleep(0.3)
    return False
