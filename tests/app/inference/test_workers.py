import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from app.inference.workers import Workers
from model.encoder.encoding import Encoding
from tests.support.liveness import FakeJudge

pytestmark = pytest.mark.anyio
Make = Callable[..., Workers]


class SumEncoder:
    """Encodes a crop as the sum of its pixels and fails on 13. Blocks while `gate` is clear; records batch sizes."""

    def __init__(self) -> None:
        self.gate, self.batches = threading.Event(), list[int]()
        self.gate.set()

    def encode(self, crops: np.ndarray) -> Encoding:
        assert self.gate.wait(10)
        if (crops == 13).any():
            raise ValueError("thirteen")
        self.batches.append(len(crops))
        return Encoding(np.asarray(crops.reshape(len(crops), -1).sum(axis=1, keepdims=True), np.float32))


@pytest.fixture
def encoder() -> SumEncoder:
    return SumEncoder()


@pytest.fixture
def make(encoder: SumEncoder) -> Iterator[Make]:
    made: list[Workers] = []

    def start(threads: int = 1, **given: Any) -> Workers:
        made.append(Workers(encoder, threads, **{"max_batch": 8, **given}))
        return made[-1]

    yield start
    encoder.gate.set()
    for workers in made:
        workers.close()


def crops(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


async def test_run_returns_the_result_with_queue_and_run_time(make: Make) -> None:
    def work() -> int:
        time.sleep(0.02)
        return 42

    done = await make().run(work)
    assert done.result == 42
    assert 0 <= done.queue_ms < 1000
    assert 19 < done.run_ms < 1000


async def test_run_does_not_block_the_event_loop(make: Make) -> None:
    slow = asyncio.create_task(make().run(lambda: time.sleep(0.2)))
    start = time.perf_counter()
    await asyncio.sleep(0.01)
    assert time.perf_counter() - start < 0.15
    await slow


async def test_a_job_that_is_cancelled_before_it_starts_is_dropped(make: Make) -> None:
    workers, gate, started = make(), threading.Event(), []
    running = asyncio.create_task(workers.run(gate.wait))
    waiting = asyncio.create_task(workers.run(lambda: started.append(1)))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.sleep(0.05)
    gate.set()
    await running
    await workers.run(lambda: None)
    assert not started


async def test_errors_of_a_job_propagate_and_leave_the_thread_usable(make: Make) -> None:
    workers = make()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 / 0)


async def test_queued_faces_are_encoded_in_one_batch_and_returned_to_their_requests(
    make: Make, encoder: SumEncoder
) -> None:
    sizes: list[int] = []
    workers = make(threads=1, max_batch=5, on_batch=sizes.append)
    encoder.gate.clear()
    first = asyncio.create_task(workers.encode(crops(1)))  # alone, at once
    await asyncio.sleep(0.05)
    rest = [asyncio.create_task(workers.encode(crops(*values))) for values in ([2, 3], [4], [5, 6], [7, 8, 9])]
    await asyncio.sleep(0.05)
    encoder.gate.set()
    answers = [(await task).result.vectors.ravel().tolist() for task in (first, *rest)]
    assert answers == [[1], [2, 3], [4], [5, 6], [7, 8, 9]]
    assert encoder.batches == sizes == [1, 5, 3]


async def test_a_request_with_more_faces_than_max_batch_is_a_batch_of_its_own(make: Make, encoder: SumEncoder) -> None:
    done = await make(max_batch=2).encode(crops(1, 2, 3))
    assert done.result.vectors.ravel().tolist() == [1, 2, 3]


async def test_faces_wait_for_a_full_batch_while_photos_are_queued(make: Make, encoder: SumEncoder) -> None:
    workers, gate, order = make(threads=1, max_batch=3), threading.Event(), list[str]()
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


async def test_a_full_batch_goes_before_queued_photos(make: Make, encoder: SumEncoder) -> None:
    workers, gate, order = make(threads=1, max_batch=3), threading.Event(), list[str]()
    busy = asyncio.create_task(workers.run(gate.wait))
    await asyncio.sleep(0.05)
    photo = asyncio.create_task(workers.run(lambda: order.append(f"after {encoder.batches}")))
    faces = [asyncio.create_task(workers.encode(crops(value))) for value in (1, 2, 3)]
    await asyncio.sleep(0.05)
    gate.set()
    await asyncio.gather(busy, photo, *faces)
    assert order == ["after [3]"]


async def test_faces_of_a_cancelled_request_are_not_encoded(make: Make, encoder: SumEncoder) -> None:
    workers = make()
    encoder.gate.clear()
    busy = asyncio.create_task(workers.encode(crops(1)))
    await asyncio.sleep(0.05)
    cancelled, kept = (asyncio.create_task(workers.encode(crops(value))) for value in (2, 3))
    await asyncio.sleep(0.05)
    cancelled.cancel()
    await asyncio.sleep(0.05)
    encoder.gate.set()
    assert [(await task).result.vectors.item() for task in (busy, kept)] == [1, 3]
    assert encoder.batches == [1, 1]


async def test_faces_to_judge_and_faces_to_encode_are_batches_of_their_own(make: Make, encoder: SumEncoder) -> None:
    judge, sizes = FakeJudge(), list[int]()
    workers = make(threads=1, on_batch=sizes.append)
    encoder.gate.clear()
    first = asyncio.create_task(workers.encode(crops(1)))
    await asyncio.sleep(0.05)
    surroundings = np.full((1, 2, 80, 80, 3), 255, np.uint8)
    second = asyncio.create_task(workers.encode(crops(2)))
    live = asyncio.create_task(workers.judge(judge, surroundings))
    await asyncio.sleep(0.05)
    third = asyncio.create_task(workers.encode(crops(3)))
    attack = asyncio.create_task(workers.judge(judge, surroundings // 255))
    await asyncio.sleep(0.05)
    encoder.gate.set()
    await first
    assert [(await task).result.vectors.item() for task in (second, third)] == [2, 3]
    assert (await live).result.tolist() == [1]
    assert (await attack).result.tolist() == [pytest.approx(1 / 255)]
    assert encoder.batches == sizes == [1, 2]
    assert judge.batches == [2]


async def test_an_encoder_error_fails_only_its_batch(make: Make, encoder: SumEncoder) -> None:
    workers = make()
    with pytest.raises(ValueError, match="thirteen"):
        await workers.encode(crops(13))
    assert (await workers.encode(crops(4))).result.vectors.item() == 4


async def test_close_finishes_running_jobs_and_cancels_queued_ones(make: Make) -> None:
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
