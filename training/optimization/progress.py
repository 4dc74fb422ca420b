"""The progress bar of a training run."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(total: int, completed: int, *, visible: bool = True) -> Iterator[Callable[[int, float, float], None]]:
    """Shows `completed` of `total` steps. Yields a function to call after each step with the number of images in the
    batch, the loss and the best validation score so far."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:.0f} images/s  loss {task.fields[loss]:.3f}  best {task.fields[best]:.3f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not visible) as progress:
        task = progress.add_task("training", total=total, completed=completed, speed=0.0, loss=0.0, best=0.0)
        start, images = time.monotonic(), 0

        def advance(batch_size: int, loss: float, best_score: float) -> None:
            nonlocal images
            images += batch_size
            speed = images / (time.monotonic() - start)
            progress.update(task, advance=1, speed=speed, loss=loss, best=max(best_score, 0.0))

        yield advance
