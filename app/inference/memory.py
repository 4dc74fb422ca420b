"""glibc's handling of freed memory: kept while it is of use, given back after an unusual photo."""

import asyncio
import ctypes
import os
from pathlib import Path
from typing import Final

# Parameters of glibc's mallopt (malloc.h).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
THRESHOLD: Final = 2**30  # bytes
CHECK_SECONDS: Final = 10.0
TOLERANCE: Final = 1.2  # times what the process needs for ordinary photos


def keep_freed_memory() -> bool:
    """Makes glibc keep freed memory for reuse. Returns False if the C library is not glibc.

    By default glibc returns each freed feature map to the kernel, and the next request pays for its page faults: a
    sixth of the time under load. `return_memory_regularly` undoes it after a peak.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, THRESHOLD) and mallopt(M_TRIM_THRESHOLD, THRESHOLD))


def return_memory() -> None:
    """Gives all freed memory back to the kernel. Does nothing if the C library is not glibc."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return


async def return_memory_regularly(every_s: float = CHECK_SECONDS) -> None:
    """Gives freed memory back whenever the process has grown by a fifth. Runs until it is cancelled.

    The memory is measured when this starts: start it once the service has warmed up. What is in use stays, and is the
    new measure.
    """
    usual = resident_bytes()
    while True:
        await asyncio.sleep(every_s)
        if resident_bytes() > usual * TOLERANCE:
            await asyncio.to_thread(return_memory)
            usual = max(usual, round(resident_bytes() / TOLERANCE))


def resident_bytes() -> int:
    """Returns the memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
