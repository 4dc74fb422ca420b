"""What the service and its decoder processes say to each other over a socket.

A request is a header with the lengths and limits, together with a file descriptor for the pixels, then the photo. An
answer is a length and JSON: an error, or the shape of the pixels.
"""

import json
import os
import socket
import struct
from dataclasses import dataclass
from typing import Any, Final

from model.images import ImageLimits

_REQUEST: Final = struct.Struct("<QQQQ")  # bytes of the photo, most bytes, most pixels, least pixels (0: all)
_LENGTH: Final = struct.Struct("<I")
READY: Final = b"R"  # sent once, when the process has started


@dataclass(frozen=True)
class DecodeRequest:
    """A photo to decode, and the open file that its pixels go to."""

    data: bytes
    limits: ImageLimits
    min_pixels: int | None
    pixels: int  # a file descriptor


def send_request(connection: socket.socket, request: DecodeRequest) -> None:
    """Sends a request. Raises OSError if the process has ended."""
    limits = request.limits
    header = _REQUEST.pack(len(request.data), limits.max_bytes, limits.max_pixels, request.min_pixels or 0)
    socket.send_fds(connection, [header], [request.pixels])
    connection.sendall(request.data)


def receive_request(connection: socket.socket) -> DecodeRequest | None:
    """Returns the next request; None if the service has ended. The caller closes the file."""
    header, files, _, _ = socket.recv_fds(connection, _REQUEST.size, 1)
    if not files:
        return None
    header += _receive(connection, _REQUEST.size - len(header))
    length, max_bytes, max_pixels, min_pixels = _REQUEST.unpack(header)
    try:
        data = _receive(connection, length)
    except EOFError:
        os.close(files[0])
        return None
    return DecodeRequest(data, ImageLimits(max_bytes, max_pixels), min_pixels or None, files[0])


def send_answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    """Sends an answer. Raises OSError if the service has ended."""
    content = json.dumps(answer).encode()
    connection.sendall(_LENGTH.pack(len(content)) + content)


def receive_answer(connection: socket.socket) -> dict[str, Any]:
    """Returns an answer. Raises EOFError or OSError if the process has ended, TimeoutError at the socket's timeout."""
    (length,) = _LENGTH.unpack(_receive(connection, _LENGTH.size))
    answer: dict[str, Any] = json.loads(_receive(connection, length))
    return answer


def _receive(connection: socket.socket, length: int) -> bytes:
    content = bytearray(length)
    view, received = memoryview(content), 0
    while received < length:
        count = connection.recv_into(view[received:])
        if count == 0:
            raise EOFError
        received += count
    return bytes(content)
