"""A decoder process: `python -m app.inference.decoding.process SOCKET BYTES`. It imports no network and no torch.

It decodes one photo after another until the service closes the socket. It may use BYTES of memory besides what it needs
to start; a photo that needs more is refused.
"""

import mmap
import os
import resource
import signal
import socket
import sys
from typing import Any, Final

import numpy as np

from app.inference.decoding.messages import READY, DecodeRequest, receive_request, send_answer
from app.inference.memory import return_memory
from model.errors import CorruptImage, PhotoError
from model.images import decode_scaled, decoder_bytes, set_up_decoders, too_expensive
from model.rgb import Pixels

LARGE_PIXELS: Final = 2_000_000  # what a photo of more has used is given back to the kernel


def main(descriptor: int, memory: int) -> None:
    """Serves the socket with this descriptor until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which then closes the socket
    connection = socket.socket(fileno=descriptor)
    set_up_decoders()
    limit_memory(memory)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write about damaged photos
    connection.sendall(READY)
    while (request := receive_request(connection)) is not None:
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
    resource.setrlimit(resource.RLIMIT_DATA, (used + more, used + more))


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
        return _describe(too_expensive() if decoder_bytes(request.data) > memory else error)
    except PhotoError as error:
        return _describe(error)
    except MemoryError:
        return _describe(too_expensive())
    finally:
        os.close(request.pixels)
    return {"shape": shape, "scale": image.scale, "width": image.width, "height": image.height}


def _describe(error: PhotoError) -> dict[str, Any]:
    return {"error": type(error).__name__, "message": str(error)}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
