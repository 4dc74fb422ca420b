"""What clients meet below HTTP's meaning: upgrades, `Expect`, large headers, many connections. On a real socket."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app.cli.serve import server_options
from app.settings import Settings
from tests.support.raw_http import BODY, connect_from, exchange, head, status
from tests.support.service import fake_app


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
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("gallery")) as port:
        yield port


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
        assert closes_unread(port)
        for connection in held:
            connection.close()
        time.sleep(0.2)
        assert status(exchange(port, request)) == 200


def test_one_address_cannot_take_all_connections(tmp_path: Path) -> None:
    with serving(tmp_path, max_connections=6, max_connections_per_address=2) as port:
        held = [connect_from("127.0.0.2", port) for _ in range(2)]
        time.sleep(0.2)
        assert closes_unread(port, "127.0.0.2")
        request = head("/healthz", "Connection: close", method="GET", length=0)
        assert status(exchange(port, request)) == 200
        for connection in held:
            connection.close()
        time.sleep(0.2)
        assert not closes_unread(port, "127.0.0.2", timeout=0.5)


def test_a_trusted_proxy_has_as_many_connections_as_all_together(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"max_connections": 4, "max_connections_per_address": 2}
    with serving(tmp_path, **limits, trusted_proxies="127.0.0.2") as port:
        held = [connect_from("127.0.0.2", port) for _ in range(4)]
        time.sleep(0.2)
        assert closes_unread(port, "127.0.0.2")
        for connection in held:
            connection.close()


def test_only_a_trusted_proxy_says_who_its_caller_is(tmp_path: Path) -> None:
    def ask_for(address: str, port: int, *, through: str) -> int:
        forwarded = f"X-Forwarded-For: {address}"
        return status(
            exchange(port, head("/identities", forwarded, "Connection: close", method="GET", length=0), source=through)
        )

    with serving(tmp_path, rate_limits="2/hour", trusted_proxies="127.0.0.2") as port:
        assert [ask_for(f"192.0.2.{number}", port, through="127.0.0.2") for number in range(3)] == [200] * 3
        assert [ask_for("192.0.2.1", port, through="127.0.0.2") for _ in range(2)] == [200, 429]
        # What a client sends by itself is no address of its own choice.
        assert [ask_for(f"192.0.2.{number}", port, through="127.0.0.3") for number in range(3)] == [200, 200, 429]
        # A proxy appends the address that it sees: what the client wrote before is not believed.
        chain = [f"203.0.113.{number}, 192.0.2.9" for number in range(3)]
        assert [ask_for(each, port, through="127.0.0.2") for each in chain] == [200, 200, 429]
    with serving(tmp_path, rate_limits="2/hour") as port:
        spoofed = [ask_for(f"192.0.2.{number}", port, through="127.0.0.1") for number in range(3)]
        assert spoofed == [200, 200, 429]  # nobody is trusted by default, this machine neither


def closes_unread(port: int, source: str = "127.0.0.1", timeout: float = 5) -> bool:
    """Says whether the server closes a new connection on which nothing is sent."""
    with connect_from(source, port, timeout) as connection:
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def healthz_seconds(port: int) -> float:
    """Returns the longest of five answers to /healthz."""
    longest, request = 0.0, head("/healthz", "Connection: close", method="GET", length=0)
    for _ in range(5):
        start = time.monotonic()
        assert status(exchange(port, request)) == 200
        longest = max(longest, time.monotonic() - start)
        time.sleep(0.05)
    return longest


@contextmanager
def sending_small_chunks(port: int, path: str) -> Iterator[tuple[socket.socket, threading.Thread]]:
    """Sends a body in chunks of one byte until the server closes the connection."""
    request = head(path, "Transfer-Encoding: chunked", "Content-Type: application/json", length=0)

    def send() -> None:
        with suppress(OSError):
            connection.sendall(request)
            time.sleep(0.2)  # the service has answered, if it does not await the body
            while True:
                connection.sendall(b"1\r\nx\r\n" * 20_000)

    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield connection, thread
        finally:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(30)


@pytest.mark.parametrize(("keys", "code"), [("a-key-of-sixteen!", 401), ("", 400)])
def test_a_body_of_small_chunks_without_end_delays_nobody_and_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str, code: int
) -> None:
    monkeypatch.setattr("app.cli.connection.LINGER_S", 2.0)
    with serving(tmp_path, api_keys=keys) as port, sending_small_chunks(port, "/embed") as (connection, thread):
        answer = connection.recv(65536)
        assert status(answer) == code
        assert b"connection: close" in answer
        assert healthz_seconds(port) < 1
        thread.join(10)
        assert not thread.is_alive()


def test_a_client_that_reads_when_it_has_sent_all_gets_its_refusal(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys="a-key-of-sixteen!") as port:
        length = 20_000_000
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(head("/embed", length=length) + bytes(length))
            answer = connection.recv(65536)
        assert status(answer) == 401
        assert b"connection: close" in answer


def test_a_refusal_whose_body_has_arrived_keeps_the_connection(tmp_path: Path) -> None:
    with (
        serving(tmp_path, api_keys="a-key-of-sixteen!") as port,
        socket.create_connection(("127.0.0.1", port), timeout=60) as connection,
    ):
        for _ in range(3):
            connection.sendall(head("/embed") + BODY)
            assert status(connection.recv(65536)) == 401


def test_after_an_answer_only_so_many_bytes_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.connection.LINGER_BYTES", 1_000_000)
    with (
        serving(tmp_path, api_keys="a-key-of-sixteen!") as port,
        socket.create_connection(("127.0.0.1", port), timeout=60) as connection,
        pytest.raises((BrokenPipeError, ConnectionResetError)),
    ):
        connection.sendall(head("/embed", length=10**9) + bytes(200_000_000))


@pytest.mark.parametrize(
    "start", [b"", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"], ids=["nothing", "half a head"]
)
@pytest.mark.parametrize("before", [0, 1], ids=["first", "second"])
def test_a_head_that_does_not_arrive_ends_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes, before: int
) -> None:
    monkeypatch.setattr("app.cli.connection.HEAD_S", 0.5)
    with serving(tmp_path) as port, socket.create_connection(("127.0.0.1", port), timeout=4) as connection:
        for _ in range(before):
            connection.sendall(head("/healthz", method="GET", length=0))
            assert status(connection.recv(65536)) == 200
        connection.sendall(start)
        assert connection.recv(1) == b""


def test_a_long_request_is_not_a_missing_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.connection.HEAD_S", 0.3)
    with serving(tmp_path) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(head("/embed"))
        time.sleep(1)
        connection.sendall(BODY)
        assert status(connection.recv(65536)) == 200
