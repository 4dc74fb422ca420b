"""Load on a running service: closed loop (so many clients, each asks again when it is answered) and open loop (so many
requests a second, whether they are answered or not).

The requests are made beforehand and the answers are hardly looked at, since whoever asks here takes its time from the
same cores as the service.
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

IMPATIENCE_S: Final = 60.0  # after which an answer counts as missing


@dataclass
class Outcome:
    """`ms` of every answer with 200 or 201, from when it was asked for, or should have been."""

    seconds: float = 0.0
    statuses: "Counter[int]" = field(default_factory=Counter)  # 0: no answer
    ms: list[float] = field(default_factory=list)

    def note(self, status: int, since: float) -> None:
        self.statuses[status] += 1
        if status in (200, 201):
            self.ms.append((time.perf_counter() - since) * 1000)

    @property
    def throughput(self) -> float:
        """Good answers a second."""
        return len(self.ms) / self.seconds

    def percentile(self, percent: int) -> float:
        return quantiles(self.ms, n=100, method="inclusive")[percent - 1] if len(self.ms) > 1 else float("nan")


class Connection:
    """Kept alive, one request at a time, opened anew where the service has closed it."""

    def __init__(self, url: str) -> None:
        self._host, self._port = urlsplit(url).hostname, urlsplit(url).port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> int:
        """The status of the answer; 0 where none came."""
        for used in (self._streams is not None, False):
            try:
                async with asyncio.timeout(IMPATIENCE_S):
                    return await self._ask(request)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                await self.close()
                if not used:  # else the service had closed it meanwhile, being idle: every client tries anew
                    break
        return 0

    async def close(self) -> None:
        streams, self._streams = self._streams, None
        if streams:
            streams[1].close()
            with suppress(OSError):
                await streams[1].wait_closed()

    async def _ask(self, request: bytes) -> int:
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


def prepared(url: str, path: str, files: dict[str, bytes], **fields: str) -> bytes:
    """A multipart request as it goes over the line."""
    request = httpx.Request("POST", url + path, files=files, data=fields)
    content = request.read()
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content


async def closed_loop(url: str, requests: Sequence[bytes], clients: int, seconds: float) -> Outcome:
    outcome, start = Outcome(), time.perf_counter()
    todo = cycle(requests)

    async def client() -> None:
        connection = Connection(url)
        while (asked := time.perf_counter()) < start + seconds:
            outcome.note(await connection.ask(next(todo)), asked)
        await connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    outcome.seconds = time.perf_counter() - start
    return outcome


async def open_loop(url: str, requests: Sequence[bytes], rate: float, seconds: float) -> Outcome:
    """`rate` requests a second, evenly; each has a connection that is free, or one more."""
    outcome, start = Outcome(), time.perf_counter()
    free: list[Connection] = []
    asking: set[asyncio.Task[None]] = set()

    async def once(request: bytes, due: float) -> None:
        connection = free.pop() if free else Connection(url)
        outcome.note(await connection.ask(request), due)
        free.append(connection)

    for request, due in zip(cycle(requests), _times(start, rate, seconds), strict=False):
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        task = asyncio.create_task(once(request, due))
        asking.add(task)
        task.add_done_callback(asking.discard)
    outcome.seconds = seconds
    if asking:
        await asyncio.wait(asking)
    for connection in free:
        await connection.close()
    return outcome


def _times(start: float, rate: float, seconds: float) -> Iterator[float]:
    for number in range(int(rate * seconds)):
        yield start + number / rate
