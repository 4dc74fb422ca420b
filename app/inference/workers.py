"""A bounded number of threads with a bounded queue: what does not fit is refused at once, not delayed without end."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.errors import DeadlineExceeded, Overloaded

T = TypeVar("T")


class Workers:
    """Runs blocking work off the event loop. Work whose caller gave up before it began is dropped."""

    def __init__(self, threads: int, max_waiting: int, deadline_s: float) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._room = threads + max_waiting
        self._threads = threads
        self._deadline_s = deadline_s
        self._inside = 0
        self._usual_s = 0.1  # how long a piece of work takes, a moving average

    async def run(self, work: Callable[[], T]) -> tuple[T, float]:
        """The result, and the milliseconds that the work waited for a thread.

        Raises Overloaded where the queue is full, DeadlineExceeded, and what the work raises.
        """
        if self._inside >= self._room:
            raise Overloaded(retry_after=max(round(self._inside * self._usual_s / self._threads), 1))
        self._inside += 1
        asked = time.perf_counter()

        def timed() -> tuple[T, float]:
            began = time.perf_counter()
            try:
                return work(), (began - asked) * 1000
            finally:
                self._usual_s += 0.1 * (time.perf_counter() - began - self._usual_s)

        future = self._pool.submit(timed)
        loop = asyncio.get_running_loop()
        # A thread cannot be stopped: its place is free when it is done, not when its caller has gone.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._deadline_s)
        except TimeoutError as error:
            raise DeadlineExceeded(f"The answer took longer than {self._deadline_s:g} s and was given up.") from error

    def _leave(self) -> None:
        self._inside -= 1

    def close(self) -> None:
        """Waits for what has begun, drops what has not."""
        self._pool.shutdown(cancel_futures=True)
