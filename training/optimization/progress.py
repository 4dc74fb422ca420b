"""A live bar of a training: how far, how fast, how well."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def bar(total: int, done: int, *, shown: bool = True) -> Iterator[Callable[[int, float, float], None]]:
    """Gives a function to call after each step: images in it, its loss, the best validation score so far."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:.0f} images/s  loss {task.fields[loss]:.3f}  best {task.fields[best]:.3f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not shown) as progress:
        task = progress.add_task("training", total=total, completed=done, speed=0.0, loss=0.0, best=0.0)
        start, images = time.monotonic(), 0

        def advance(count: int, loss: float, best: float) -> None:
            nonlocal images
            images += count
            speed = images / (time.monotonic() - start)
            progress.update(task, advance=1, speed=speed, loss=loss, best=max(best, 0.0))

        yield advance
