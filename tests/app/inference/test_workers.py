import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from app.errors import DeadlineExceeded, Overloaded
from app.inference.workers import Workers

pytestmark = pytest.mark.anyio
Make = Callable[..., Workers]


class Sums:
    """Encodes a crop as the sum of its pixels, but 13; can be held up, and notes how many it gets at once."""

    def __init__(self) -> None:
        self.gate, self.batches = threading.Event(), list[int]()
        self.gate.set()

    def encode(self, crops: np.ndarray) -> np.ndarray:
        assert self.gate.wait(10)
        if (crops == 13).any():
            raise ValueError("thirteen")
        self.batches.append(len(crops))
        return np.asarray(crops.reshape(len(crops), -1).sum(axis=1, keepdims=True), np.float32)


@pytest.fixture
def encoder() -> Sums:
    return Sums()


@pytest.fixture
def make(encoder: Sums) -> Iterator[Make]:
    made: list[Workers] = []

    def start(threads: int = 1, max_waiting: int = 10, deadline_s: float = 5.0, **given: Any) -> Workers:
        made.append(Workers(encoder, threads, max_waiting, deadline_s, **{"largest_batch": 8, **given}))
        return made[-1]

    yield start
    encoder.gate.set()
    for workers in made:
        workers.close()


def crops(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


async def in_one_request(workers: Workers, work: Callable[[], Any]) -> Any:
    async with workers.admitted():
        return (await workers.run(work)).result


async def test_gives_the_result_and_how_long_it_waited_and_took(make: Make) -> None:
    def work() -> int:
        time.sleep(0.02)
        return 42

    done = await make().run(work)
    assert done.result == 42
    assert 0 <= done.waited_ms < 1000
    assert 19 < done.took_ms < 1000


async def test_does_not_block_the_event_loop(make: Make) -> None:
    slow = asyncio.create_task(make().run(lambda: time.sleep(0.2)))
    start = time.perf_counter()
    await asyncio.sleep(0.01)
    assert time.perf_counter() - start < 0.15
    await slow


async def test_refuses_at_once_what_does_not_fit_and_says_when_to_come_again(make: Make) -> None:
    inside: list[int] = []
    workers, gate = make(threads=1, max_waiting=1, on_inside=inside.append), threading.Event()
    tasks = [asyncio.create_task(in_one_request(workers, gate.wait)) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded) as refused:
        workers.check_room()
    assert refused.value.retry_after >= 1
    with pytest.raises(Overloaded):
        await in_one_request(workers, lambda: None)
    gate.set()
    await asyncio.gather(*tasks)
    await in_one_request(workers, lambda: None)  # there is room again
    assert inside == [1, 2, 1, 0, 1, 0]


async def test_gives_up_at_the_deadline_and_drops_what_had_not_begun(make: Make) -> None:
    workers, gate, began = make(deadline_s=0.1), threading.Event(), []
    stuck = asyncio.create_task(in_one_request(workers, gate.wait))
    waiting = asyncio.create_task(in_one_request(workers, lambda: began.append(1)))
    for task in (stuck, waiting):
        with pytest.raises(DeadlineExceeded, match="longer than"):
            await task
    gate.set()
    await workers.run(lambda: None)
    assert not began


async def test_what_the_work_raises_reaches_the_caller_and_frees_the_place(make: Make) -> None:
    workers = make(max_waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await in_one_request(workers, lambda: 1 / 0)


async def test_faces_that_wait_are_encoded_together_and_everybody_gets_his_own(make: Make, encoder: Sums) -> None:
    sizes: list[int] = []
    workers = make(threads=1, largest_batch=5, on_batch=sizes.append)
    encoder.gate.clear()
    first = asyncio.create_task(workers.encode(crops(1)))  # alone, at once
    await asyncio.sleep(0.05)
    rest = [asyncio.create_task(workers.encode(crops(*values))) for values in ([2, 3], [4], [5, 6], [7, 8, 9])]
    await asyncio.sleep(0.05)
    encoder.gate.set()
    answers = [(await task).result.ravel().tolist() for task in (first, *rest)]
    assert answers == [[1], [2, 3], [4], [5, 6], [7, 8, 9]]
    assert encoder.batches == sizes == [1, 5, 3]


async def test_a_request_with_more_faces_than_a_batch_may_have_is_a_batch_of_its_own(make: Make, encoder: Sums) -> None:
    done = await make(largest_batch=2).encode(crops(1, 2, 3))
    assert done.result.ravel().tolist() == [1, 2, 3]


async def test_while_photos_wait_faces_gather_to_a_full_batch(make: Make, encoder: Sums) -> None:
    workers, gate, order = make(threads=1, largest_batch=3), threading.Event(), list[str]()
    busy = asyncio.create_task(workers.run(gate.wait))
    await asyncio.sleep(0.05)
    faces = [asyncio.create_task(workers.encode(crops(value))) for value in (1, 2)]
    photos = [asyncio.create_task(workers.run(lambda: order.append(f"after {encoder.batches}"))) for _ in range(2)]
    await asyncio.sleep(0.05)
    gate.set()
    await asyncio.gather(busy, *photos)
    assert order == ["after []", "after []"]  # two faces are no full batch
    await asyncio.gather(*faces)
    assert encoder.batches == [2]  # nothing else waited


async def test_a_full_batch_comes_before_photos_that_wait(make: Make, encoder: Sums) -> None:
    workers, gate, order = make(threads=1, largest_batch=3), threading.Event(), list[str]()
    busy = asyncio.create_task(workers.run(gate.wait))
    await asyncio.sleep(0.05)
    photo = asyncio.create_task(workers.run(lambda: order.append(f"after {encoder.batches}")))
    faces = [asyncio.create_task(workers.encode(crops(value))) for value in (1, 2, 3)]
    await asyncio.sleep(0.05)
    gate.set()
    await asyncio.gather(busy, photo, *faces)
    assert order == ["after [3]"]


async def test_faces_of_a_caller_that_gave_up_are_not_encoded(make: Make, encoder: Sums) -> None:
    workers = make()
    encoder.gate.clear()
    busy = asyncio.create_task(workers.encode(crops(1)))
    await asyncio.sleep(0.05)
    gone, stays = (asyncio.create_task(workers.encode(crops(value))) for value in (2, 3))
    await asyncio.sleep(0.05)
    gone.cancel()
    await asyncio.sleep(0.05)
    encoder.gate.set()
    assert [(await task).result.item() for task in (busy, stays)] == [1, 3]
    assert encoder.batches == [1, 1]


async def test_an_encoder_that_fails_fails_its_batch_and_nothing_else(make: Make, encoder: Sums) -> None:
    workers = make()
    with pytest.raises(ValueError, match="thirteen"):
        await workers.encode(crops(13))
    assert (await workers.encode(crops(4))).result.item() == 4


async def test_closing_finishes_what_has_begun_and_drops_the_rest(make: Make) -> None:
    workers, gate = make(threads=1), threading.Event()
    tasks = [asyncio.create_task(workers.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0.05)
    closing = asyncio.create_task(asyncio.to_thread(workers.close))
    await asyncio.sleep(0.05)
    gate.set()
    await closing
    assert (await tasks[0]).result is True
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
