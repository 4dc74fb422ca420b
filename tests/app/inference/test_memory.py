import asyncio
import platform

import numpy as np
import pytest

from app.inference.memory import keep_freed_memory, resident_bytes, return_memory_regularly


def test_keeps_freed_memory_with_glibc_only() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


@pytest.mark.anyio
async def test_memory_that_was_kept_after_a_peak_is_given_back() -> None:
    keep_freed_memory()
    before = resident_bytes()
    task = asyncio.create_task(return_memory_regularly(every_s=0.05))
    await asyncio.sleep(0)  # it measures what is usual
    for _ in range(2):
        peak = [np.ones(2**20, np.uint8) for _ in range(int(before * 0.5) // 2**20)]
        del peak
    assert resident_bytes() > 1.3 * before
    await asyncio.sleep(1)
    assert resident_bytes() < 1.2 * before
    task.cancel()
