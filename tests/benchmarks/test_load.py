import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.load import closed_loop, open_loop, prepared

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(delay: float, *statuses: int) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers with these statuses in turn; its URL and the bodies that it was sent."""
    bodies: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            bodies.append(await reader.readexactly(length))
            await asyncio.sleep(delay)
            status = statuses[(len(bodies) - 1) % len(statuses)]
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok".encode())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", bodies
        await asyncio.sleep(0.05)  # the connections that were closed


async def test_a_closed_loop_asks_again_when_it_is_answered() -> None:
    async with serving(0.02, 200) as (url, bodies):
        request = prepared(url, "/verify", {"image1": b"one", "image2": b"two"}, target_fmr="0.01")
        found = await closed_loop(url, [request], clients=4, seconds=2.0)  # much longer than a busy machine pauses
    assert 4 < found.statuses[200] <= 4 * found.seconds / 0.02  # nobody asks before they are answered
    assert found.throughput == pytest.approx(len(found.ms) / found.seconds)
    assert found.percentile(50) >= 20
    assert all(part in bodies[0] for part in (b"one", b"two", b'name="target_fmr"'))


async def test_an_open_loop_asks_whether_it_is_answered_or_not() -> None:
    async with serving(0.3, 200) as (url, bodies):
        found = await open_loop(url, [prepared(url, "/x", {"image": b"a"})], rate=50, seconds=0.4)
    assert len(bodies) == found.statuses[200] == 20
    assert found.percentile(50) >= 300


async def test_refusals_count_and_have_no_latency() -> None:
    async with serving(0.0, 200, 429) as (url, _):
        found = await open_loop(url, [prepared(url, "/x", {"image": b"a"})], rate=100, seconds=0.2)
    assert found.statuses == {200: 10, 429: 10}
    assert len(found.ms) == 10


async def test_no_answer_is_counted_as_such() -> None:
    found = await open_loop("http://127.0.0.1:9", [b"GET / HTTP/1.1\r\n\r\n"], rate=20, seconds=0.2)
    assert found.statuses == {0: 4}
