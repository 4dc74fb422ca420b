"""HTTP/1.1 as bytes on a socket, to send what no client library sends."""

import re
import socket

from tests.support.fakes import RED, picture

PHOTO = picture(RED)
BODY = (
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + PHOTO + b"\r\n--b--\r\n"
)  # fmt: skip


def connect_from(source: str, port: int, timeout: float = 5) -> socket.socket:
    """Connects to a port of this machine from `source`, one of its own addresses."""
    return socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0))


def exchange(port: int, request: bytes, then: bytes = b"", source: str = "127.0.0.1") -> bytes:
    """Sends a request and, once something has come back, the rest. Returns everything until the server closes."""
    with connect_from(source, port, timeout=60) as connection:
        connection.sendall(request)
        answer = connection.recv(65536) if then else b""
        connection.sendall(then)
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def head(path: str, *headers: str, method: str = "POST", length: int = len(BODY)) -> bytes:
    """Returns the lines before a body. `length` 0: none follows."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if length:
        lines += [f"Content-Length: {length}", "Content-Type: multipart/form-data; boundary=b"]
    return "\r\n".join([*lines, "", ""]).encode()


def status(answer: bytes) -> int:
    """Returns the status of the first answer. Raises AssertionError if there is none."""
    found = re.match(rb"HTTP/1\.1 (\d+)", answer)
    assert found, answer
    return int(found[1])
