"""Damaged photos, sent to a decoder process. Nothing but the documented errors, each within 2 s and 300 MB."""

import os
import time
from collections.abc import Iterator
from typing import Final

import psutil

from app.inference.decoding.pool import DecoderPool
from benchmarks.trust.photo_damage import inputs
from benchmarks.trust.row import Options, Row
from model.errors import PhotoError
from model.images import ImageLimits

MIN_PIXELS: Final = 1600 * 1200  # as the service asks for
SECONDS: Final = 2.0  # of the processor
MEMORY: Final = 300 * 2**20
# The kernel counts the processor's time in ticks, and the pool asks for it every 20 ms.
SLACK_S: Final = 0.5
IDLE_MEMORY: Final = 120 * 2**20  # of a process with Pillow before its first photo, at most


def attack(options: Options) -> Iterator[Row]:
    """Yields the row of all damaged photos. An unexpected outcome names the input's number."""
    row = Row("damaged photos, to a decoder")
    pool = DecoderPool(1, SECONDS, MEMORY)
    slowest, most = 0.0, 0
    try:
        for number, data in inputs(options.inputs, options.seed):
            start, before = time.monotonic(), _processor_seconds()
            try:
                pool.decode(data, ImageLimits(), MIN_PIXELS)
                row.see("decoded")
            except PhotoError as error:
                row.see(error.code)
            except Exception as error:
                row.see(type(error).__name__)
                row.faults.append(f"input {number} of seed {options.seed}: {type(error).__name__}")
            if time.monotonic() - start > SECONDS:  # otherwise it cannot have used more
                used = _processor_seconds() - before
                slowest = max(slowest, used)
                row.require(used < SECONDS + SLACK_S, f"input {number}: {used:.1f} s of the processor")
            if number % 100 == 0:
                most = max(most, pool.peak_bytes())
        most = max(most, pool.peak_bytes())
        row.require(most < MEMORY + IDLE_MEMORY, f"a process had {most / 2**20:.0f} MiB")
        row.seen[f"(decoders replaced: {pool.replaced}; most memory of one: {most / 2**20:.0f} MiB)"] = 1
    finally:
        pool.close()
    yield row


def _processor_seconds() -> float:
    """Returns the processor's time that the processes of the pool have used, also those that have ended."""
    ended = os.times()
    running = [each.cpu_times() for each in psutil.Process().children()]
    return float(ended.children_user + ended.children_system + sum(each.user + each.system for each in running))
