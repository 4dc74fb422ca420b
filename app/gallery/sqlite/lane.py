"""A thread that does one thing after another for callers on the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

T = TypeVar("T")


class Abandoned(Exception):
    """Raised by work that ended early, and undid what it had done, because its caller no longer waits."""


class Lane:
    """Runs work on one thread, in order, so that the event loop never waits for the disk."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, work: Callable[[Event], T]) -> T:
        """Runs `work`, whose argument is set when the caller no longer waits. Raises what `work` raises.

        If the caller is cancelled, queued work is dropped. Running work is told. If it was too late to end it, its
        result is returned all the same: what was stored must not be reported as lost.
        """
        abandoned = Event()
        future = self._thread.submit(work, abandoned)
        done = asyncio.wrap_future(future)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            abandoned.set()
            if future.cancel() or done.cancelled():
                raise
            try:
                return await asyncio.shield(done)
            except Abandoned:
                raise asyncio.CancelledError from None

    def close(self) -> None:
        """Waits for the work that runs or is queued."""
        self._thread.shutdown()
