"""A load generator for a running service.

Closed loop: a fixed number of clients, each sends its next request when it has the answer. Open loop: a fixed rate of
requests, whether or not earlier ones were answered.

The generator shares the processor with the service, so it prepares requests beforehand and barely parses the answers.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from statistics import quantiles
from typing import Final
from urllib.parse import urlsplit

import httpx

RESPONSE_TIMEOUT_S: Final = 60.0  # a later answer counts as missing


@dataclass
class LoadResult:
    """The answers to one load. Latencies are those of answers with status 200 or 201.

    A latency starts when the request is sent in a closed loop, and when it was due in an open loop.
    """

    seconds: float = 0.0
    statuses: "Counter[int]" = field(default_factory=Counter)  # 0: no answer
    latencies_ms: list[float] = field(default_factory=list)

    def record(self, status: int, since: float) -> None:
        """Counts one answer to a request that was due at `since` (time.perf_counter)."""
        self.statuses[status] += 1
        if status in (200, 201):
            self.latencies_ms.append((time.perf_counter() - since) * 1000)

    @property
    def throughput(self) -> float:
        """Answers with status 200 or 201 per second."""
        return len(self.latencies_ms) / self.seconds

    def percentile(self, percent: int) -> float:
        """Latency in ms; NaN with fewer than two answers."""
        if len(self.latencies_ms) < 2:
            return float("nan")
        return quantiles(self.latencies_ms, n=100, method="inclusive")[percent - 1]


class Connection:
    """A keep-alive HTTP/1.1 connection that carries one request at a time and reconnects if the service closed it."""

    def __init__(self, url: str) -> None:
        self._host, self._port = urlsplit(url).hostname, urlsplit(url).port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> int:
        """Returns the status of the answer, or 0 if none came."""
        for reused in (self._streams is not None, False):
            try:
                async with asyncio.timeout(RESPONSE_TIMEOUT_S):
                    return await self._send(request)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                await self.close()
                if not reused:  # a reused connection may have been closed for being idle: every client retries then
                    break
        return 0

    async def close(self) -> None:
        streams, self._streams = self._streams, None
        if streams:
            streams[1].close()
            with suppress(OSError):
                await streams[1].wait_closed()

    async def _send(self, request: bytes) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        if b"connection: close" in head:
            await self.close()
        return int(head.split(b" ", 2)[1])


def multipart_request(url: str, path: str, files: dict[str, bytes], **fields: str) -> bytes:
    """Returns a complete HTTP/1.1 POST request, headers included."""
    request = httpx.Request("POST", url + path, files=files, data=fields)
    content = request.read()
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content


async def run_closed_loop(url: str, requests: Sequence[bytes], clients: int, seconds: float) -> LoadResult:
    """Sends `requests` in turn, again and again, from `clients` concurrent clients for `seconds`."""
    result, start = LoadResult(), time.perf_counter()
    endless = cycle(requests)

    async def run_client() -> None:
        connection = Connection(url)
        while (sent := time.perf_counter()) < start + seconds:
            result.record(await connection.send(next(endless)), sent)
        await connection.close()

    await asyncio.gather(*(run_client() for _ in range(clients)))
    result.seconds = time.perf_counter() - start
    return result


async def run_open_loop(url: str, requests: Sequence[bytes], rate: float, seconds: float) -> LoadResult:
    """Sends `rate` requests per second at even intervals for `seconds`, each on an idle or a new connection."""
    result, start = LoadResult(), time.perf_counter()
    idle: list[Connection] = []
    pending: set[asyncio.Task[None]] = set()

    async def send(request: bytes, due: float) -> None:
        connection = idle.pop() if idle else Connection(url)
        result.record(await connection.send(request), due)
        idle.append(connection)

    for request, due in zip(cycle(requests), _due_times(start, rate, seconds), strict=False):
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        task = asyncio.create_task(send(request, due))
        pending.add(task)
        task.add_done_callback(pending.discard)
    result.seconds = seconds
    if pending:
        await asyncio.wait(pending)
    for connection in idle:
        await connection.close()
    return result


def _due_times(start: float, rate: float, seconds: float) -> Iterator[float]:
    for number in range(int(rate * seconds)):
        yield start + number / rate
