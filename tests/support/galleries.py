"""Helpers to test galleries."""

import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from app.gallery.base import Gallery, NewTemplate, Store
from app.gallery.guarded import GuardedGallery

ENCODER = "e" * 64
OpenGallery = Callable[[], Awaitable[Store]]


def unit_vector(seed: int, dimension: int = 8) -> np.ndarray:
    """A random vector (D,) of length 1."""
    drawn = np.random.default_rng(seed).normal(size=dimension)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def embeddings(count: int, dimension: int = 16, seed: int = 0) -> np.ndarray:
    """Random unit vectors (N, D) around one direction, like embeddings of faces."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(count, dimension)) + 4 * np.eye(dimension)[0]
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def new_template(
    identity: str,
    seed: int = 0,
    gallery: str = "default",
    encoder_id: str = ENCODER,
    metadata: dict[str, Any] | None = None,
) -> NewTemplate:
    """A template with `unit_vector(seed)`."""
    return NewTemplate(gallery, identity, unit_vector(seed), encoder_id, "mtcnn", 0.8, metadata)


async def search_names(gallery: Gallery | GuardedGallery, seed: int, name: str = "default") -> list[str]:
    """Searches for `unit_vector(seed)` and returns the names of the ten best identities."""
    found = await gallery.search(name, unit_vector(seed), ENCODER, 10)
    return [each.identity for each in found.candidates]


def start_enrolling(url: str, prefix: str, *secret: str) -> "subprocess.Popen[str]":
    """Starts a process that enrolls until it is killed, with the secret of the audit log, if any."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.enroll_forever", url, prefix, *secret], stdout=subprocess.PIPE, text=True
    )


def kill_after(process: "subprocess.Popen[str]", seconds: float) -> list[str]:
    """Kills the process with SIGKILL and returns the names that it reported as enrolled."""
    assert process.stdout is not None
    first = process.stdout.readline()  # waits until it has started
    assert first, "the process died before it enrolled anybody"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    # A line cut off by the signal was not reported in full.
    return [first.strip(), *[line.strip() for line in rest.splitlines(keepends=True) if line.endswith("\n")]]
