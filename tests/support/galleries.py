"""What a gallery is tested with."""

import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from app.gallery.base import Gallery, NewTemplate

ENCODER = "e" * 64
Open = Callable[[], Awaitable[Gallery]]


def vector(seed: int, dimension: int = 8) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=dimension)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def new(
    identity: str,
    seed: int = 0,
    gallery: str = "default",
    encoder_id: str = ENCODER,
    metadata: dict[str, Any] | None = None,
) -> NewTemplate:
    return NewTemplate(gallery, identity, vector(seed), encoder_id, "mtcnn", 0.8, metadata)


async def names(gallery: Gallery, seed: int, in_gallery: str = "default") -> list[str]:
    found = await gallery.search(in_gallery, vector(seed), ENCODER, 10)
    return [each.identity for each in found.candidates]


def enrolling(url: str, prefix: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.enrolling", url, prefix], stdout=subprocess.PIPE, text=True
    )


def kill_after(process: "subprocess.Popen[str]", seconds: float) -> list[str]:
    """kill -9; what the process had acknowledged by then."""
    assert process.stdout is not None
    first = process.stdout.readline()  # it has started
    assert first, "the process died before it enrolled anybody"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    # A line cut off by the signal was not acknowledged in full.
    return [first.strip(), *[line.strip() for line in rest.splitlines(keepends=True) if line.endswith("\n")]]
