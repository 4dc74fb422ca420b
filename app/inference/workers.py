"""A bounded number of threads and of requests: what does not fit is refused at once, not delayed without end.

A thread that is free reads the next photo that waits, until as many faces have gathered as are best encoded together,
or no photo waits: then it encodes those of several requests at once. So batches are as large as the load is high, and
a lone request never waits for company.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.errors import DeadlineExceeded, Overloaded
from app.inference.encoder import FaceEncoder

T = TypeVar("T")


@dataclass(frozen=True)
class Done(Generic[T]):
    """What a piece of work gave, how long it waited for a thread, and how long it took."""

    result: T
    waited_ms: float
    took_ms: float


@dataclass(frozen=True)
class _Job:
    work: Callable[[], Any]
    future: "Future[Done[Any]]" = field(default_factory=Future)
    asked: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True)
class _Faces:
    crops: NDArray[np.uint8]  # (B, S, S, 3)
    future: "Future[Done[NDArray[np.float32]]]" = field(default_factory=Future)
    asked: float = field(default_factory=time.perf_counter)


class Workers:
    """Runs blocking work off the event loop. Work whose caller gave up before it began is dropped."""

    def __init__(
        self,
        encoder: FaceEncoder,
        threads: int,
        max_waiting: int,
        deadline_s: float,
        largest_batch: int,
        on_batch: Callable[[int], None] = lambda faces: None,
        on_inside: Callable[[int], None] = lambda requests: None,
    ) -> None:
        """`largest_batch` faces are encoded together at most, unless one request brings more. `on_batch` is told of
        each batch's faces, `on_inside` of how many requests are inside whenever that changes."""
        self._encoder, self._largest = encoder, largest_batch
        self._room, self._inside, self._deadline_s = threads + max_waiting, 0, deadline_s
        self._on_batch, self._on_inside = on_batch, on_inside
        self._usual_s = 0.1  # that a request is inside, a moving average
        self._jobs: deque[_Job] = deque()
        self._faces: deque[_Faces] = deque()
        self._closed = False
        self._news = threading.Condition()
        self._threads = [threading.Thread(target=self._serve, name=f"worker-{i}") for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def check_room(self) -> None:
        """Raises Overloaded where a request would be refused: before its body is read."""
        if self._inside >= self._room:
            raise Overloaded(retry_after=max(round(self._usual_s), 1))  # by then, those inside now are done

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """One request, as long as it is inside. Raises Overloaded where there is no room, DeadlineExceeded where it
        stays too long: then what it asked for and has not begun is dropped."""
        self.check_room()
        self._count(1)
        entered = time.perf_counter()
        try:
            async with asyncio.timeout(self._deadline_s):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded(f"The answer took longer than {self._deadline_s:g} s and was given up.") from error
        finally:
            self._count(-1)
            self._usual_s += 0.1 * (time.perf_counter() - entered - self._usual_s)

    async def run(self, work: Callable[[], T]) -> Done[T]:
        """Raises what the work raises."""
        job = _Job(work)
        self._ask(self._jobs, job)
        return await asyncio.wrap_future(job.future)

    async def encode(self, crops: NDArray[np.uint8]) -> Done[NDArray[np.float32]]:
        """Crops (B, S, S, 3) -> unit vectors (B, D), in one batch with those of other requests."""
        faces = _Faces(crops)
        self._ask(self._faces, faces)
        return await asyncio.wrap_future(faces.future)

    def close(self) -> None:
        """Waits for what has begun, drops what has not."""
        with self._news:
            self._closed = True
            waiting: list[Future[Any]] = [job.future for job in self._jobs]
            waiting += [faces.future for faces in self._faces]
            self._news.notify_all()
        for future in waiting:
            future.cancel()
        for thread in self._threads:
            thread.join()

    def _count(self, change: int) -> None:
        self._inside += change
        self._on_inside(self._inside)

    def _ask(self, queue: "deque[Any]", what: Any) -> None:
        with self._news:
            queue.append(what)
            self._news.notify()

    # From here on: on the workers' threads.

    def _serve(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._closed or self._faces or self._jobs)
                if self._closed:
                    return
                # While photos wait, faces gather to a full batch; when none do, they are encoded as they are.
                full = sum(len(faces.crops) for faces in self._faces) >= self._largest
                job = None if full or not self._jobs else self._jobs.popleft()
                batch = [] if job else self._batch()
            if batch:
                self._encode(batch)
            elif job and job.future.set_running_or_notify_cancel():
                _finish(job)

    def _batch(self) -> list[_Faces]:
        """The faces that have waited longest, as many as may be encoded together."""
        batch: list[_Faces] = []
        size = 0
        while self._faces and (not batch or size + len(self._faces[0].crops) <= self._largest):
            faces = self._faces.popleft()
            if faces.future.set_running_or_notify_cancel():
                batch.append(faces)
                size += len(faces.crops)
        return batch

    def _encode(self, batch: list[_Faces]) -> None:
        began = time.perf_counter()
        try:
            vectors = self._encoder.encode(np.concatenate([faces.crops for faces in batch]))
        except BaseException as error:
            for faces in batch:
                faces.future.set_exception(error)
            return
        took = time.perf_counter() - began
        self._on_batch(len(vectors))
        first = 0
        for faces in batch:
            last = first + len(faces.crops)
            faces.future.set_result(Done(vectors[first:last], (began - faces.asked) * 1000, took * 1000))
            first = last


def _finish(job: _Job) -> None:
    began = time.perf_counter()
    try:
        result = job.work()
    except BaseException as error:
        job.future.set_exception(error)
    else:
        now = time.perf_counter()
        job.future.set_result(Done(result, (began - job.asked) * 1000, (now - began) * 1000))
