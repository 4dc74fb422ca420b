"""Slow, half-closed and broken connections to the real service. Others are answered meanwhile."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from benchmarks.trust.row import Options, Row, faults_of
from benchmarks.trust.service import check_alive, real_service
from tests.support.raw_http import BODY, exchange, head, status

EACH: Final = 30  # connections of each kind, at once
DEADLINE_S: Final = 8
HEAD_S: Final = 10.0  # in which the service wants a request's head: app/cli/connection.py
SLACK_S: Final = 20.0  # a busy machine may be that late
HEALTH_S: Final = 5.0  # /healthz must be answered within, whatever the others do, on an idle machine
HEALTH_FACTOR: Final = 10  # times what it takes without them, which is much on a busy one


def _silent(connection: socket.socket) -> None:
    pass


def _half_a_head(connection: socket.socket) -> None:
    connection.sendall(b"POST /embed HTTP/1.1\r\nHost: 127.0.0.1\r\n")


def _no_body(connection: socket.socket) -> None:
    connection.sendall(head("/embed"))


def _half_a_body(connection: socket.socket) -> None:
    connection.sendall(head("/embed") + BODY[: len(BODY) // 2])


def _drip(connection: socket.socket) -> None:
    """One byte of the body a second: too slow for the deadline."""
    connection.sendall(head("/embed"))
    for byte in BODY:
        with suppress(OSError):
            connection.sendall(bytes([byte]))
        connection.settimeout(1)
        with suppress(TimeoutError):
            if connection.recv(1, socket.MSG_PEEK) is not None:
                return


def _small_chunks(connection: socket.socket) -> None:
    connection.sendall(head("/embed", "Transfer-Encoding: chunked", "Content-Type: application/json", length=0))
    for _ in range(20):
        connection.sendall(b"1\r\nx\r\n" * 1000)


def _half_closed(connection: socket.socket) -> None:
    connection.sendall(head("/embed") + BODY)
    connection.shutdown(socket.SHUT_WR)


def _half_closed_early(connection: socket.socket) -> None:
    connection.sendall(head("/embed") + BODY[:50])
    connection.shutdown(socket.SHUT_WR)


def _reset(connection: socket.socket) -> None:
    connection.sendall(head("/embed") + BODY[:50])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _garbage(connection: socket.socket) -> None:
    connection.sendall(bytes(range(256)) * 20)


KINDS: Final[tuple[Callable[[socket.socket], None], ...]] = (
    _silent, _half_a_head, _no_body, _half_a_body, _drip, _small_chunks, _half_closed, _half_closed_early, _reset,
    _garbage,
)  # fmt: skip


def attack(options: Options) -> Iterator[Row]:
    """Yields the row of all connections. The service must end each of them and answer /healthz meanwhile."""
    row = Row("slow, half-closed and broken connections")
    with faults_of(row), real_service(options.folder, FACETWIN_DEADLINE_S=str(DEADLINE_S)) as server:
        calm = max(_healthz_seconds(server.port) for _ in range(20))
        ended: list[tuple[str, float]] = []
        threads = [
            threading.Thread(target=_hold, args=(server.port, kind, ended)) for kind in KINDS for _ in range(EACH)
        ]
        for thread in threads:
            thread.start()
        slowest = 0.0
        while any(thread.is_alive() for thread in threads):
            slowest = max(slowest, _healthz_seconds(server.port))
            time.sleep(0.2)
        for what, seconds in ended:
            row.see(what)
            row.require(seconds < HEAD_S + DEADLINE_S + SLACK_S, f"{what}: open for {seconds:.0f} s")
        row.require(len(ended) == len(threads), "connections without an end")
        words = f"/healthz took {slowest:.1f} s meanwhile, and {calm:.1f} s before"
        row.require(slowest < max(HEALTH_S, HEALTH_FACTOR * calm), words)
        check_alive(server, row)
    yield row


def _healthz_seconds(port: int) -> float:
    """Returns how long /healthz takes. Raises AssertionError if it has another status than 200."""
    start = time.monotonic()
    assert status(exchange(port, head("/healthz", "Connection: close", method="GET", length=0))) == 200
    return time.monotonic() - start


def _hold(port: int, kind: Callable[[socket.socket], None], ended: list[tuple[str, float]]) -> None:
    """Opens a connection and waits until the service ends it."""
    start, name, answer = time.monotonic(), kind.__name__.strip("_").replace("_", " "), b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
            kind(connection)
            if connection.fileno() >= 0:
                connection.settimeout(120)
                while chunk := connection.recv(65536):
                    answer += chunk
                    if b"connection: close" not in answer:
                        break  # it would stay open for another request
    except TimeoutError:
        return
    except OSError:
        pass
    what = str(status(answer)) if answer else "closed"
    ended.append((f"{name}: {what}", time.monotonic() - start))
