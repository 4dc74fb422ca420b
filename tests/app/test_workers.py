import asyncio
import threading
import time

import pytest

from app.errors import DeadlineExceeded, Overloaded
from app.inference.workers import Workers

pytestmark = pytest.mark.anyio


async def test_gives_the_result_and_how_long_it_waited() -> None:
    workers = Workers(threads=1, max_waiting=1, deadline_s=5)
    result, waited = await workers.run(lambda: 42)
    assert result == 42
    assert 0 <= waited < 1000
    workers.close()


async def test_does_not_block_the_event_loop() -> None:
    workers = Workers(threads=1, max_waiting=0, deadline_s=5)
    slow = asyncio.create_task(workers.run(lambda: time.sleep(0.2)))
    start = time.perf_counter()
    await asyncio.sleep(0.01)
    assert time.perf_counter() - start < 0.15
    await slow
    workers.close()


async def test_refuses_at_once_what_does_not_fit_and_says_when_to_come_again() -> None:
    workers, gate = Workers(threads=1, max_waiting=1, deadline_s=5), threading.Event()
    tasks = [asyncio.create_task(workers.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded) as refused:
        await workers.run(lambda: None)
    assert refused.value.retry_after >= 1
    gate.set()
    await asyncio.gather(*tasks)
    await asyncio.sleep(0.05)
    await workers.run(lambda: None)  # there is room again
    workers.close()


async def test_gives_up_at_the_deadline_and_drops_what_had_not_begun() -> None:
    workers, gate, began = Workers(threads=1, max_waiting=1, deadline_s=0.1), threading.Event(), []
    stuck = asyncio.create_task(workers.run(gate.wait))
    waiting = asyncio.create_task(workers.run(lambda: began.append(1)))
    for task in (stuck, waiting):
        with pytest.raises(DeadlineExceeded, match="longer than"):
            await task
    gate.set()
    await asyncio.sleep(0.05)
    assert not began
    workers.close()


async def test_what_the_work_raises_reaches_the_caller_and_frees_the_place() -> None:
    workers = Workers(threads=1, max_waiting=0, deadline_s=5)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 / 0)
        await asyncio.sleep(0.02)
    workers.close()
