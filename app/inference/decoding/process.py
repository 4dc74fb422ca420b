"""A decoder process: `python -m app.inference.decoding.process SOCKET BYTES SECONDS`. It imports no network, no torch.

It decodes one photo after another until the service closes the socket. It may use BYTES of memory besides what it needs
to start; a photo that needs more is refused. The service kills it when a photo takes longer than SECONDS of the
processor; if there is no service any more, the kernel does, a little later.
"""

import math
import mmap
import os
import resource
import signal
import socket
import sys
import time
from typing import Any, Final

import numpy as np

from app.inference.decoding.messages import READY, DecodeRequest, receive_request, send_answer
from app.inference.memory import return_memory
from model.errors import CorruptImage, PhotoError
from model.images import damaged, decode_scaled, decoder_bytes, set_up_decoders, too_expensive
from model.rgb import Pixels

SPARE_SECONDS: Final = 2  # the service comes first
LARGE_PIXELS: Final = 2_000_000  # what a photo of more has used is given back to the kernel


def main(descriptor: int, memory: int, seconds: float) -> None:
    """Serves the socket with this descriptor until it is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):  # both are for the service, which then closes the socket
        signal.signal(number, signal.SIG_IGN)
    connection = socket.socket(fileno=descriptor)
    set_up_decoders()
    limit_memory(memory)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write about damaged photos
    connection.sendall(READY)
    while (request := receive_request(connection)) is not None:
        limit_time(seconds)
        answer = _answer(request, memory)
        if answer.get("width", 0) * answer.get("height", 0) > LARGE_PIXELS or "error" in answer:
            return_memory()
        del request
        try:
            send_answer(connection, answer)
        except OSError:
            return


def limit_memory(more: int) -> None:
    """Lets this process allocate `more` bytes than it has now. An allocation beyond that fails."""
    with open("/proc/self/status") as status:  # noqa: PTH123
        (used,) = [int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:")]
    resource.setrlimit(resource.RLIMIT_DATA, (used + more, resource.RLIM_INFINITY))


def limit_time(more: float) -> None:
    """Lets this process use `more` seconds of the processor than it has until now, and a little."""
    used = time.process_time()
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used + more) + SPARE_SECONDS, resource.RLIM_INFINITY))


def _answer(request: DecodeRequest, memory: int) -> dict[str, Any]:
    shape: tuple[int, int, int] | None = None

    def empty(wanted: tuple[int, int, int]) -> Pixels:
        nonlocal shape
        shape = wanted
        size = int(np.prod(wanted))
        os.ftruncate(request.pixels, size)
        return np.frombuffer(mmap.mmap(request.pixels, size), np.uint8).reshape(wanted)

    try:
        image = decode_scaled(request.data, request.limits, request.min_pixels, empty)
    except CorruptImage as error:
        # Some decoders report a lack of memory as damage.
        return _describe(too_expensive() if _decoder_bytes(request.data) > memory else error)
    except PhotoError as error:
        return _describe(error)
    except MemoryError:
        return _describe(too_expensive())
    except Exception:  # whatever else a decoder raises, the file is the reason
        return _describe(damaged())
    finally:
        os.close(request.pixels)
    size = {"scale": image.scale, "width": image.width, "height": image.height}
    return {"shape": shape, **size, "ends_early": image.ends_early}


def _decoder_bytes(data: bytes) -> int:
    """Calls `decoder_bytes` without a limit: WebP's decoder reserves memory before it tells the size."""
    limit = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    try:
        return decoder_bytes(data)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limit)


def _describe(error: PhotoError) -> dict[str, Any]:
    return {"error": type(error).__name__, "message": str(error)}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
