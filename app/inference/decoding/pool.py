"""A pool of decoder processes. A process that takes too long is killed and replaced."""

import mmap
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.errors import NotReady
from app.inference.decoding.messages import READY, DecodeRequest, receive_answer, send_request
from model import errors
from model.images import DecodedImage, ImageLimits, Pixels, damaged, decode_scaled, too_expensive
from model.jpeg import lacks_end_marker, pixels_to_scan

START_SECONDS: Final = 60.0
END_SECONDS: Final = 1.0  # from the end of its socket to the end of a process
TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
PATIENCE: Final = 15  # a busy machine may take so many times longer than the processor's time that is allowed
# glibc keeps what ordinary photos need, and returns at once what a large one needed.
KEEP_MEMORY: Final = {"MALLOC_MMAP_THRESHOLD_": str(8 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20)}
CHEAP_BYTES: Final = 2 * 2**20
CHEAP_PIXELS: Final = 4_000_000  # times scans
PREFAULT_BYTES: Final = 32 * 2**20  # pixels up to this size are mapped at once: they are about to be read


class DecoderPool:
    """Decodes photos as `decode_scaled` does, each within a time and a memory limit. Threads may share it.

    A small ordinary JPEG is decoded in this process.

    A thread that finds every process busy waits, so make as many processes as threads.
    """

    def __init__(self, processes: int, seconds: float, memory: int) -> None:
        """`seconds` of the processor's time and `memory` bytes are what one photo may take."""
        self._seconds, self._memory = seconds, memory
        self.replaced = 0  # processes that were killed or had ended
        self._idle: queue.LifoQueue[_Process] = queue.LifoQueue()  # the last one used has its code in the caches
        for _ in range(processes):
            self._idle.put(_Process(memory, seconds))

    def decode(self, data: bytes, limits: ImageLimits | None = None, min_pixels: int | None = None) -> DecodedImage:
        """Decodes like `decode_scaled`. Raises the same errors, PhotoTooExpensive for a photo beyond the limits too.

        A process may end for a reason that is not the photo's. Then another one gets the photo, once. Raises NotReady
        if no process starts.
        """
        limits = limits or ImageLimits()
        if _is_cheap(data):
            return decode_scaled(data, limits, min_pixels)
        if not data or len(data) > limits.max_bytes:
            return decode_scaled(data, limits)  # refuses it unread
        try:
            return self._decode(data, limits, min_pixels)
        except _Stopped:
            pass
        try:
            return self._decode(data, limits, min_pixels)
        except _Stopped as stopped:
            if not stopped.started:
                raise _no_decoder() from stopped
            raise (too_expensive() if stopped.killed else damaged()) from None

    def _decode(self, data: bytes, limits: ImageLimits, min_pixels: int | None) -> DecodedImage:
        """Raises _Stopped if the process has ended without an answer."""
        process = self._idle.get()
        try:
            return process.decode(data, limits, min_pixels, self._seconds)
        except (_Late, _Stopped) as stopped:
            self.replaced += 1
            process.kill()
            try:
                process = _Process(self._memory, self._seconds)
            except OSError as error:
                raise _no_decoder() from error
            if isinstance(stopped, _Late):
                raise too_expensive() from None
            raise
        finally:
            self._idle.put(process)

    def peak_bytes(self) -> int:
        """Returns the most memory that a process has had resident, of those that are idle now."""
        return max((process.peak_bytes() for process in list(self._idle.queue)), default=0)

    def close(self) -> None:
        """Ends the processes. No thread may decode any more."""
        while not self._idle.empty():
            self._idle.get().kill()


def _is_cheap(data: bytes) -> bool:
    """Says whether a photo's header promises so little work that a limit is not needed: at most 0.1 s and 40 MB.

    Most photos are of this kind. Another process would cost them a millisecond each.
    """
    work = pixels_to_scan(data) if len(data) <= CHEAP_BYTES else None
    # Without its end marker it is decoded three times.
    return work is not None and work <= CHEAP_PIXELS and not lacks_end_marker(data)


def _no_decoder() -> NotReady:
    return NotReady("The service cannot start a process that decodes photos. Try again later.")


class _Late(Exception):
    """The process has no answer in time."""


class _Stopped(Exception):
    """The process has ended without an answer. `killed`: as the kernel does when memory runs out."""

    def __init__(self, started: bool, killed: bool) -> None:
        super().__init__()
        self.started, self.killed = started, killed


class _Process:
    """One decoder process. One thread at a time uses it."""

    def __init__(self, memory: int, seconds: float) -> None:
        """Starts the process and does not wait for it. Raises OSError if it cannot."""
        self._socket, theirs = socket.socketpair()
        root = str(Path(__file__).parents[3])
        # It needs no key and no address of a database.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FACETWIN_")}
        environment |= {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **KEEP_MEMORY}
        limits = [str(memory), str(seconds)]
        arguments = ["-P", "-W", "ignore", "-m", "app.inference.decoding.process", str(theirs.fileno()), *limits]
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603
                    [sys.executable, *arguments], pass_fds=(theirs.fileno(),), env=environment, stdin=subprocess.DEVNULL
                )
            except OSError:
                self._socket.close()
                raise
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)
        self._ready = False

    def decode(self, data: bytes, limits: ImageLimits, min_pixels: int | None, seconds: float) -> DecodedImage:
        """Raises PhotoError, and _Late or _Stopped, after which the process is of no more use."""
        file = os.memfd_create("facetwin-pixels")
        try:
            answer = self._ask(DecodeRequest(data, limits, min_pixels, file), seconds)
            if "error" in answer:
                error: errors.PhotoError = getattr(errors, answer["error"])(answer["message"])
                raise error
            size = answer["scale"], answer["width"], answer["height"]
            return DecodedImage(_map(file, answer["shape"]), *size, answer["ends_early"])
        finally:
            os.close(file)

    def peak_bytes(self) -> int:
        """Returns the most memory that the process has had resident."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

    def kill(self) -> None:
        """Ends the process, whatever it does."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, request: DecodeRequest, seconds: float) -> dict[str, Any]:
        try:
            self._wait_until_ready()
            used, given_up = self._cpu_seconds(), time.monotonic() + PATIENCE * seconds
            self._socket.settimeout(PATIENCE * seconds)
            send_request(self._socket, request)
            left = seconds
            while not self._readable.poll(left * 1000):
                left = max(seconds - (self._cpu_seconds() - used), 0.0)
                if not left or time.monotonic() > given_up:
                    raise _Late
                left = max(left, 0.02)
            return receive_answer(self._socket)
        except TimeoutError as error:
            if not self._ready:
                raise _Stopped(started=False, killed=False) from error
            raise _Late from error
        except (OSError, EOFError) as error:
            raise _Stopped(self._ready, killed=self._exit_code() == -signal.SIGKILL) from error

    def _exit_code(self) -> int | None:
        """Returns how the process has ended; None if it has not."""
        try:
            return self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def _wait_until_ready(self) -> None:
        if not self._ready:
            self._socket.settimeout(START_SECONDS)
            self._ready = self._socket.recv(1) == READY
            if not self._ready:
                raise EOFError

    def _cpu_seconds(self) -> float:
        """Returns the processor's time that the process has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def _map(file: int, shape: list[int]) -> Pixels:
    """Maps the pixels (H, W, 3) that a process has written. The memory is freed with the array."""
    size = int(np.prod(shape))
    flags = mmap.MAP_SHARED | (mmap.MAP_POPULATE if size <= PREFAULT_BYTES else 0)
    return np.frombuffer(mmap.mmap(file, size, flags), np.uint8).reshape(shape)
