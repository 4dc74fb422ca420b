"""What must not be found: erased names and vectors in a database's files, and anything personal in the log."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import numpy as np
import psycopg

from benchmarks.trust.row import Options, Row, faults_of, portrait
from benchmarks.trust.service import POSTGRES, SQLITE, new_store, real_service
from tests.support.server import Server

KEY: Final = "a-key-that-nobody-may-log"
PEOPLE: Final = ("lovelace-adaaugusta", "hopper-gracebrewster", "hamilton-margaretheafield")
NOTE: Final = "analytical-engine-notes"  # in metadata and references of consent
TABLES: Final = "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relname IN ('identities', 'templates')"


def attack(options: Options) -> Iterator[Row]:
    """Yields two rows for each store: its files after an erasure, and the service's log."""
    for store in (SQLITE, POSTGRES):
        files, log = Row(f"erased from the files of {store}"), Row(f"never in the log, {store}")
        with faults_of(files), new_store(store, options) as url:
            settings = {"FACETWIN_GALLERY_URL": url, "FACETWIN_API_KEYS": KEY, "FACETWIN_LOG_LEVEL": "debug"}
            with real_service(options.folder, **settings) as server:
                server.http.headers["authorization"] = f"Bearer {KEY}"
                _attack_store(server, url, files, log)
        yield from (files, log)


def _attack_store(server: Server, url: str, files: Row, log: Row) -> None:
    photo = portrait()
    embedding = _see(files, server.post("/embed", {"image": photo})).json()["embedding"]
    vector = np.array(embedding, "<f4").tobytes()
    for name in PEOPLE:
        fields = {"identity": name, "metadata": json.dumps({"note": NOTE}), "consent_ref": NOTE}
        _see(files, server.post("/enroll", {"image": photo}, **fields))
    needles = {name: name.encode() for name in PEOPLE} | {"metadata": NOTE.encode(), "vector": vector}
    read = partial(_sqlite_files if url.startswith("sqlite") else _postgres_files, url)
    missing = set(needles) - _found(needles, read)
    files.require(not missing, f"not in the files before the erasure, so the search is worth nothing: {missing}")
    _make_errors(server, log, photo)
    receipts = [_see(files, server.http.delete(f"/identities/{PEOPLE[0]}")).json()]
    _see(files, server.http.post(f"/identities/{PEOPLE[1]}/merge", json={"into": PEOPLE[2]}))
    receipts.append(_see(files, server.http.delete("/galleries/default")).json())
    complete = all(each["erasure"]["complete"] for each in receipts)
    if url.startswith("sqlite"):
        files.require(complete, "a receipt says that something is left")
    else:
        files.require(not complete, "a receipt says that PostgreSQL keeps nothing")
        _erase(url, files)
    left = _found(needles, read)
    files.leaked = len(left)
    files.require(not left, f"left in the files: {sorted(left)}")
    server.stop()
    written = server.log.read_text()
    log.seen["lines of the log"] = written.count("\n")
    log.require(written.count('"request"') > log.inputs, "the log has not a line for each request")
    secrets = {name: name for name in PEOPLE} | {
        "metadata": NOTE, "key": KEY, "photo": base64.b64encode(photo).decode()[1000:1040],
        "vector": repr(embedding[0])[:9], "file name": "secret-file-name",
    }  # fmt: skip
    shown = {what for what, secret in secrets.items() if secret in written}
    log.leaked = len(shown)
    log.require(not shown, f"in the log: {sorted(shown)}")


def _make_errors(server: Server, row: Row, photo: bytes) -> None:
    """Sends what fails, with names wherever a client can put them."""
    name, as_text = PEOPLE[0], base64.b64encode(photo).decode()
    http = server.http
    for answer in (
        http.get(f"/identities/{name}"),
        http.get(f"/identities/{name}/{name}"),
        http.get(f"/identities/{name}%00"),
        http.get("/identities", params={"after": name, "gallery": name, "limit": "many"}),
        http.delete(f"/identities/{name}/templates/{name}"),
        http.patch(f"/identities/{name}", json={"identity": f"{PEOPLE[1]}/x", "metadata": {name: NOTE}}),
        http.patch(f"/identities/{name}", json={"identity": PEOPLE[1]}),
        http.post("/enroll", json={"identity": name, "image": as_text}),
        http.post("/enroll", json={"identity": name, "image": as_text[:3000], "if_exists": "add"}),
        http.post("/enroll", json={"identity": name, "image": as_text, name: NOTE}),
        http.post("/enroll", files={"image": ("secret-file-name.jpg", photo[:5000])}, data={"identity": name}),
        http.post("/enroll", content=f'{{"identity": "{name}", "image": "{as_text}'.encode()),
        http.post("/verify", files={"image1": photo, "image2": b"not a photo"}),
        http.get("/identities", headers={"authorization": f"Bearer {KEY}-{name}"}),
        http.get(f"/{name}", headers={"x-request-id": f"{name} {NOTE}", "traceparent": name}),
        http.request(name.upper().replace("-", ""), "/verify"),
    ):
        row.see(str(answer.status_code))
        row.require(400 <= answer.status_code < 500 or answer.status_code == 200, f"status {answer.status_code}")


def _see(row: Row, answer: httpx.Response) -> httpx.Response:
    row.see(f"{answer.request.method} {answer.status_code}")
    return answer.raise_for_status()


def _found(needles: dict[str, bytes], read: Callable[[], bytes]) -> set[str]:
    content = read()
    return {what for what, needle in needles.items() if needle in content}


def _sqlite_files(url: str) -> bytes:
    """Returns the bytes of the database and of its write-ahead log."""
    path = Path(url.removeprefix("sqlite:///"))
    return b"".join(each.read_bytes() for each in path.parent.iterdir() if each.name.startswith(path.name))


def _postgres_files(url: str) -> bytes:
    """Returns the bytes of the tables. The write-ahead log keeps rows until it is recycled, as the receipt says."""
    with psycopg.connect(url, autocommit=True) as raw:
        raw.execute("CHECKPOINT")  # writes what is only in memory
        (folder,) = raw.execute("SHOW data_directory").fetchone() or ("",)
        return b"".join((Path(str(folder)) / path).read_bytes() for (path,) in raw.execute(TABLES))


def _erase(url: str, row: Row) -> None:
    command = [sys.executable, "-c", "from app.cli import main; main()", "gallery", "erase"]
    environment = os.environ | {"FACETWIN_GALLERY_URL": url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    row.require(done.returncode == 0, f"`facetwin gallery erase` failed: {done.stderr[-200:]}")
