"""A connection with bounds, for uvicorn: what one client sends on it cannot keep the event loop from the others.

h11 is written in Python: each piece of a body costs it some 20 microseconds, however small the piece is.
"""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.addresses import UNKNOWN_CLIENT, Proxies, client_block

log = logging.getLogger("uvicorn.error")

HEAD_S: Final = 10.0  # for the lines before a body
# A client that is refused may first read when it has sent all. What it sends until then is dropped unparsed.
LINGER_S: Final = 10.0
LINGER_BYTES: Final = 64 * 2**20  # more than the largest body by default
# Pieces of a body may be small, but not all of them: clients send 4 KiB or more at once.
MAX_SMALL_PIECES: Final = 2048
MEAN_PIECE_BYTES: Final = 256
CLOSE: Final = (b"connection", b"close")


@dataclass
class ConnectionLimits:
    """How many connections a process has at most, and how many of them one address may have.

    Connections of `proxies` are counted among all, but not by address: they serve many clients.
    """

    most: int
    most_per_address: int
    proxies: Proxies = field(default_factory=Proxies)
    _open: int = 0
    _open_of: Counter[str] = field(default_factory=Counter)  # by client

    def add(self, host: str) -> str | None:
        """Counts a connection of an address. Returns the setting that it exceeds, if any."""
        self._open += 1
        client = client_block(host)
        self._open_of[client] += 1
        if self._open > self.most:
            return "FACETWIN_MAX_CONNECTIONS"
        if self._open_of[client] > self.most_per_address and host not in self.proxies:
            return "FACETWIN_MAX_CONNECTIONS_PER_ADDRESS"
        return None

    def remove(self, host: str) -> None:
        """Uncounts a connection that has ended."""
        self._open -= 1
        client = client_block(host)
        self._open_of[client] -= 1
        if not self._open_of[client]:
            del self._open_of[client]


class BoundedConnection(H11Protocol):
    """Closes itself if it is one too many, and if a request's head takes longer than 10 s.

    An answer that is complete before the request's body ends the connection. What then arrives is dropped unparsed, for
    at most 10 s and 64 MiB.
    """

    def __init__(self, *args: Any, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(*args, **options)
        self.limits = limits
        self._host = UNKNOWN_CLIENT
        self.conn = _Reader(h11.SERVER, self.config.h11_max_incomplete_event_size or 0)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._lingering = _LingeringTransport(transport, self.conn)
        super().connection_made(cast("asyncio.Transport", self._lingering))
        self._host = self.client[0] if self.client else UNKNOWN_CLIENT
        exceeded = self.limits.add(self._host)
        if exceeded is not None:
            log.warning("Connection refused: there are %s others.", exceeded)
            transport.abort()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._lingering.stop()
        self.limits.remove(self._host)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._lingering.is_closing():
            self._lingering.drop(len(data))
        else:
            super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self._stop_head_timer()
        elif self._head_timer is None:
            self._await_head()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self._lingering.abort()  # an answer has started
            return
        super().send_400_response(msg)
        if self.cycle and not self.cycle.response_complete:
            self.cycle.disconnected = True  # its answer has been given
            self.cycle.message_event.set()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_S, self._lingering.abort)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Reader(h11.Connection):
    """Refuses a body in many small pieces, and says `Connection: close` in an answer that does not await its body."""

    _pieces = _bytes = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._pieces += 1
            self._bytes += len(event.data)
            if self._pieces > MAX_SMALL_PIECES + self._bytes // MEAN_PIECE_BYTES:
                raise h11.RemoteProtocolError("the body comes in too many small pieces")
        return event

    def send(self, event: h11.Event) -> bytes | None:  # type: ignore[override]
        if isinstance(event, h11.Response) and self.their_state is h11.SEND_BODY and CLOSE not in event.headers:
            headers = [*event.headers, CLOSE]
            event = h11.Response(status_code=event.status_code, headers=headers, reason=event.reason)
        sent: bytes | None = super().send(event)
        return sent


class _LingeringTransport:
    """A transport that closes when the client has stopped to send: closed earlier, it would lose the last answer.

    A second `close` closes it at once.
    """

    def __init__(self, transport: asyncio.Transport, conn: h11.Connection) -> None:
        self._transport, self._conn = transport, conn
        self._left = LINGER_BYTES
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._timer is not None or self._transport.is_closing()

    def close(self) -> None:
        sends = self._conn.their_state in (h11.SEND_BODY, h11.ERROR)
        if self.is_closing() or not sends or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._transport.abort)

    def drop(self, received: int) -> None:
        """Counts bytes that nobody parses, and closes when there are too many."""
        self._left -= received
        if self._left < 0:
            self._transport.abort()

    def stop(self) -> None:
        """Ends the waiting, when the client has closed the connection."""
        if self._timer is not None:
            self._timer.cancel()
