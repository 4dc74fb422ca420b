"""What clients meet below HTTP's meaning: upgrades, `Expect`, large headers, many connections. On a real socket."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app.cli.serve import server_options
from app.settings import Settings
from tests.support.fakes import RED, picture
from tests.support.service import fake_app

PHOTO = picture(RED)
BODY = (
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + PHOTO + b"\r\n--b--\r\n"
)  # fmt: skip


@contextmanager
def serving(folder: Path, **given: Any) -> Iterator[int]:
    """Serves the application with fakes, and yields its port."""
    settings = Settings(gallery_url=f"sqlite:///{folder / 'gallery.db'}", port=0, **given)
    server = uvicorn.Server(uvicorn.Config(fake_app(settings), log_config=None, **server_options(settings)))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("gallery")) as port:
        yield port


def exchange(port: int, request: bytes, then: bytes = b"") -> bytes:
    """Sends a request and, once something has come back, the rest. Returns everything until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        answer = connection.recv(65536) if then else b""
        connection.sendall(then)
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def head(path: str, *headers: str, method: str = "POST", length: int = len(BODY)) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if length:
        lines += [f"Content-Length: {length}", "Content-Type: multipart/form-data; boundary=b"]
    return "\r\n".join([*lines, "", ""]).encode()


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d+)", answer)
    assert found, answer
    return int(found[1])


@pytest.mark.parametrize(
    "headers",
    [
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
        ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
        ("Connection: Upgrade", "Upgrade: TLS/1.0"),
    ],
    ids=["h2c", "websocket", "tls"],
)  # fmt: skip
def test_an_offer_to_upgrade_is_declined_and_the_request_answered(port: int, headers: tuple[str, ...]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head("/embed", *headers) + BODY)
        answer = connection.recv(65536)
    assert status(answer) == 200, answer


def test_a_client_that_expects_a_continue_gets_it_before_its_body(port: int) -> None:
    answer = exchange(port, head("/embed", "Expect: 100-continue", "Connection: close"), BODY)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_a_client_that_expects_a_continue_gets_a_refusal_instead(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys="a-key-of-sixteen!") as port:
        assert status(exchange(port, head("/embed", "Expect: 100-continue", "Connection: close"))) == 401
    with serving(tmp_path, max_image_bytes=2000) as port:
        large = head("/embed", "Expect: 100-continue", "Connection: close", length=10**9)
        assert status(exchange(port, large)) == 413


def test_headers_have_a_limit(port: int) -> None:
    padding = f"X-Padding: {'x' * 20_000}"
    assert status(exchange(port, head("/healthz", padding, "Connection: close", method="GET", length=0))) == 200
    whole = exchange(port, head("/healthz", padding, padding, "Connection: close", method="GET", length=0))
    assert status(whole) == 400
    assert b'"code":"malformed_request"' in whole
    endless = exchange(port, b"GET /healthz HTTP/1.1\r\n" + b"X-Padding: x\r\n" * 2_500)
    assert status(endless) == 400


def test_head_of_the_health_routes_has_no_body(port: int) -> None:
    for path in ("/healthz", "/readyz"):
        answer = exchange(port, head(path, "Connection: close", method="HEAD", length=0))
        assert status(answer) == 200
        assert answer.endswith(b"\r\n\r\n")


def test_connections_have_a_limit_and_are_free_again_when_others_close(tmp_path: Path) -> None:
    with serving(tmp_path, max_connections=3) as port:
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        time.sleep(0.2)
        request = head("/healthz", "Connection: close", method="GET", length=0)
        assert status(exchange(port, request)) == 503
        for connection in held:
            connection.close()
        time.sleep(0.2)
        assert status(exchange(port, request)) == 200
