"""A process pool without processes."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class InProcessPool:
    """A ProcessPoolExecutor that runs its jobs at once, in this process."""

    def __init__(
        self, *_: object, initializer: Callable[..., None] | None = None, initargs: tuple[Any, ...] = (), **__: object
    ) -> None:
        if initializer is not None:
            initializer(*initargs)

    def __enter__(self) -> "InProcessPool":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function: Callable[..., object], *arguments: object) -> Future[object]:
        future: Future[object] = Future()
        future.set_result(function(*arguments))
        return future
