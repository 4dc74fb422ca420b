"""Timing of single calls."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Final

WARM_UP: Final = 3  # calls
REPEATS: Final = 15
PAUSE_S: Final = 0.3


def median_seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Returns the median time of one call, after WARM_UP calls."""
    times = []
    for _ in range(repeats + WARM_UP):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times[WARM_UP:])


def interleaved_median_seconds(works: Mapping[str, Callable[[], object]], rounds: int = 3) -> dict[str, float]:
    """Returns the median time of one call of each, measured in blocks of calls that take turns.

    Before each block comes a pause: the worker threads of the previous library still spin for a while and would take
    the cores.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            time.sleep(PAUSE_S)
            times[name].append(median_seconds(work, 5))
    return {name: median(each) for name, each in times.items()}
