"""Worker threads; app/inference/admission.py limits the requests that use them.

A free thread reads the next queued photo until a full batch of faces is ready or no photo is left. Then it encodes the
faces of several requests in one batch, or judges their liveness. So batches grow with the load, and a single request
never waits for others.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.inference.encoder import FaceEncoder
from app.inference.liveness import LivenessJudge
from model.encoder.encoding import Encoding

T = TypeVar("T")


@dataclass(frozen=True)
class JobResult(Generic[T]):
    """The result of a job, how long it was queued and how long it ran, in milliseconds."""

    result: T
    queue_ms: float
    run_ms: float


@dataclass(frozen=True)
class _Job:
    work: Callable[[], Any]
    future: "Future[JobResult[Any]]" = field(default_factory=Future)
    queued_at: float = field(default_factory=time.perf_counter)


Network = Callable[[NDArray[np.uint8]], Any]  # crops (B, ...) -> an answer that slices by face


@dataclass(frozen=True)
class _Faces:
    crops: NDArray[np.uint8]  # (B, ...)
    network: Network
    future: "Future[JobResult[Any]]" = field(default_factory=Future)
    queued_at: float = field(default_factory=time.perf_counter)


class Workers:
    """Runs blocking work on threads, off the event loop. A job that is cancelled before it starts is dropped."""

    def __init__(
        self,
        encoder: FaceEncoder,
        threads: int,
        max_batch: int,
        on_batch: Callable[[int], None] = lambda faces: None,
    ) -> None:
        """`max_batch` limits the faces per batch, unless a single job has more. `on_batch` receives the size of each
        batch that is encoded."""
        self._encode_crops, self._max_batch = encoder.encode, max_batch
        self._on_batch = on_batch
        self._jobs: deque[_Job] = deque()
        self._faces: deque[_Faces] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._serve, name=f"worker-{i}") for i in range(threads)]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[], T]) -> JobResult[T]:
        """Runs `work` on a worker thread. Raises what it raises."""
        job = _Job(work)
        self._enqueue(self._jobs, job)
        return await asyncio.wrap_future(job.future)

    async def encode(self, crops: NDArray[np.uint8]) -> JobResult[Encoding]:
        """Encodes crops (B, S, S, 3), in one batch with crops of other requests."""
        return await self._compute(_Faces(crops, self._encode_crops))

    async def judge(self, judge: LivenessJudge, crops: NDArray[np.uint8]) -> JobResult[NDArray[np.float32]]:
        """Judges the liveness of faces by their crops (B, N, S, S, 3), in one batch with those of other requests."""
        return await self._compute(_Faces(crops, judge.judge))

    def close(self) -> None:
        """Waits for running jobs and cancels queued ones."""
        with self._changed:
            self._closed = True
            waiting: list[Future[Any]] = [job.future for job in self._jobs]
            waiting += [faces.future for faces in self._faces]
            self._changed.notify_all()
        for future in waiting:
            future.cancel()
        for thread in self._threads:
            thread.join()

    async def _compute(self, faces: _Faces) -> JobResult[Any]:
        self._enqueue(self._faces, faces)
        return await asyncio.wrap_future(faces.future)

    def _enqueue(self, queue: "deque[Any]", item: Any) -> None:
        with self._changed:
            queue.append(item)
            self._changed.notify()

    # The methods below run on the worker threads.

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._faces or self._jobs)
                if self._closed:
                    return
                # While photos are queued, faces collect until a batch is full. Without photos, they are encoded now.
                full = self._waiting_for_oldest() >= self._max_batch
                job = None if full or not self._jobs else self._jobs.popleft()
                batch = [] if job else self._take_batch()
            if batch:
                self._compute_batch(batch)
            elif job and job.future.set_running_or_notify_cancel():
                _run(job)

    def _waiting_for_oldest(self) -> int:
        """How many faces wait for the network of the oldest ones."""
        oldest = next(iter(self._faces), None)
        return sum(len(faces.crops) for faces in self._faces if oldest and faces.network == oldest.network)

    def _take_batch(self) -> list[_Faces]:
        """Removes the oldest faces, and those for the same network after them, from the queue: at most one batch."""
        batch: list[_Faces] = []
        others: deque[_Faces] = deque()
        size = 0
        while self._faces and (not batch or size + len(self._faces[0].crops) <= self._max_batch):
            faces = self._faces.popleft()
            if batch and faces.network != batch[0].network:
                others.append(faces)
            elif faces.future.set_running_or_notify_cancel():
                batch.append(faces)
                size += len(faces.crops)
        self._faces.extendleft(reversed(others))
        return batch

    def _compute_batch(self, batch: list[_Faces]) -> None:
        network = batch[0].network
        start = time.perf_counter()
        try:
            answer = network(np.concatenate([faces.crops for faces in batch]))
        except BaseException as error:
            for faces in batch:
                faces.future.set_exception(error)
            return
        run_ms = (time.perf_counter() - start) * 1000
        if network == self._encode_crops:
            self._on_batch(len(answer))
        first = 0
        for faces in batch:
            last = first + len(faces.crops)
            faces.future.set_result(JobResult(answer[first:last], (start - faces.queued_at) * 1000, run_ms))
            first = last


def _run(job: _Job) -> None:
    start = time.perf_counter()
    try:
        result = job.work()
    except BaseException as error:
        job.future.set_exception(error)
    else:
        end = time.perf_counter()
        job.future.set_result(JobResult(result, (start - job.queued_at) * 1000, (end - start) * 1000))
