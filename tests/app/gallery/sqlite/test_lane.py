import asyncio
import time
from functools import partial
from threading import Event

import pytest

from app.gallery.sqlite.lane import Abandoned, Lane

pytestmark = pytest.mark.anyio


async def test_work_runs_in_order_and_its_errors_reach_the_caller() -> None:
    lane, done = Lane("test"), list[int]()
    await asyncio.gather(*(lane.run(partial(lambda number, _: done.append(number), number)) for number in range(5)))
    assert done == [0, 1, 2, 3, 4]
    with pytest.raises(ZeroDivisionError):
        await lane.run(lambda _: 1 // 0)
    lane.close()


async def test_queued_work_of_a_cancelled_caller_never_runs() -> None:
    lane, go, ran = Lane("test"), Event(), list[str]()
    first = asyncio.ensure_future(lane.run(lambda _: go.wait(30)))
    second = asyncio.ensure_future(lane.run(lambda _: ran.append("second")))
    await asyncio.sleep(0.01)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go.set()
    await first
    await lane.run(lambda _: None)
    assert ran == []
    lane.close()


def give_up_when_abandoned(abandoned: Event) -> None:
    abandoned.wait(30)
    raise Abandoned


async def test_running_work_is_told_that_nobody_waits() -> None:
    lane = Lane("test")
    running = asyncio.ensure_future(lane.run(give_up_when_abandoned))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - began < 20
    lane.close()


async def test_work_that_was_done_all_the_same_returns_its_result_to_the_cancelled_caller() -> None:
    lane, go, started = Lane("test"), Event(), Event()

    def commit(_: Event) -> str:
        started.set()
        go.wait(30)
        return "stored"

    running = asyncio.ensure_future(lane.run(commit))
    while not started.is_set():
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.sleep(0.01)
    go.set()
    assert await running == "stored"
    lane.close()
