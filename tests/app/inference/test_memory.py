import platform
import subprocess
import sys

from app.inference.memory import keep_freed_memory

# In a process of its own: what other tests have left in this one would be given back, too.
PEAK = """
import asyncio
import numpy as np
from app.inference.memory import keep_freed_memory, resident_bytes, return_memory_regularly

async def main():
    keep_freed_memory()
    usual = [np.ones(2**20, np.uint8) for _ in range(100)]
    before = resident_bytes()
    task = asyncio.create_task(return_memory_regularly(every_s=0.05))
    await asyncio.sleep(0)  # it measures what is usual
    for _ in range(2):
        peak = [np.ones(2**20, np.uint8) for _ in range(int(before * 0.5) // 2**20)]
        del peak
    assert resident_bytes() > 1.3 * before, "nothing was kept"
    await asyncio.sleep(1)
    assert resident_bytes() < 1.2 * before, "nothing was given back"
    task.cancel()

asyncio.run(main())
"""


def test_keeps_freed_memory_with_glibc_only() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_memory_that_was_kept_after_a_peak_is_given_back() -> None:
    subprocess.run([sys.executable, "-c", PEAK], check=True, timeout=120)
