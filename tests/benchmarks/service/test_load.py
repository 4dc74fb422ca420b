import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.service.load import multipart_request, run_closed_loop, run_open_loop

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def run_server(delay: float, *statuses: int) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers with `statuses` in turn, after `delay` seconds. Yields its URL and the bodies it gets."""
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
        await asyncio.sleep(0.05)  # lets the handlers of closed connections finish


async def test_closed_loop_client_waits_for_each_answer() -> None:
    async with run_server(0.02, 200) as (url, bodies):
        request = multipart_request(url, "/verify", {"image1": b"one", "image2": b"two"}, target_fmr="0.01")
        result = await run_closed_loop(url, [request], clients=4, seconds=2.0)  # far longer than a busy machine pauses
    assert 4 < result.statuses[200] <= 4 * result.seconds / 0.02  # no client sends before its answer has come
    assert result.throughput == pytest.approx(len(result.latencies_ms) / result.seconds)
    assert result.percentile(50) >= 20
    assert all(part in bodies[0] for part in (b"one", b"two", b'name="target_fmr"'))


async def test_open_loop_sends_at_its_rate_without_waiting_for_answers() -> None:
    async with run_server(0.3, 200) as (url, bodies):
        request = multipart_request(url, "/x", {"image": b"a"})
        result = await run_open_loop(url, [request], rate=50, seconds=0.4)
    assert len(bodies) == result.statuses[200] == 20
    assert result.percentile(50) >= 300


async def test_refused_requests_are_counted_but_have_no_latency() -> None:
    async with run_server(0.0, 200, 429) as (url, _):
        request = multipart_request(url, "/x", {"image": b"a"})
        result = await run_open_loop(url, [request], rate=100, seconds=0.2)
    assert result.statuses == {200: 10, 429: 10}
    assert len(result.latencies_ms) == 10


async def test_missing_answer_counts_as_status_0() -> None:
    result = await run_open_loop("http://127.0.0.1:9", [b"GET / HTTP/1.1\r\n\r\n"], rate=20, seconds=0.2)
    assert result.statuses == {0: 4}
