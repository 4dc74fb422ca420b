"""Strange and damaged requests to the real service. Each is answered below 500, and what is stored can be listed."""

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final, NoReturn
from urllib.parse import quote

from app.api.problems import STATUS
from benchmarks.trust.photo_damage import damage
from benchmarks.trust.row import Options, Row, faults_of, portrait
from benchmarks.trust.service import check_alive, real_service
from tests.support.raw_http import exchange
from tests.support.server import Server

DAMAGED: Final = 3000
JSON: Final = b"application/json"
FORM: Final = b"multipart/form-data; boundary=b"
NESTED: Final = b'{"identity": "a", "metadata": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}"
BODIES: Final = (
    b"", b"{", b"[]", b"null", b"[" * 60_000, b"{" * 60_000, NESTED, b'"', b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}",
    b'{"identity": NaN}', b'{"identity": "a", "metadata": {"a": NaN}}', b'{"identity": "a", "metadata": {"a": 1e999}}',
    b'{"identity": "\\ud800", "metadata": {}}', b'{"identity": "a", "metadata": {"\\udfff": 1}}',
    b'{"identity": "a", "metadata": {"a": "\\u0000"}}', b'{"identity": "\\u0000"}', b'{"identity": ".."}',
    b'{"identity": "a\\nb"}', b'{"identity": "' + b"x" * 70_000 + b'"}', b'{"identity": 1' + b"0" * 5000 + b"}",
    b'{"identity": "a", "identity": {"b": 1}}', b'{"metadata": {"a": ' + b"9" * 5000 + b"}}", b"--b", b"--b--",
    b"--b\r\n\r\n\r\n--b--", b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n--b--\r\n',
    b"--b\r\n" * 10_000, b'--b\r\nContent-Disposition: form-data; name="identity"\r\n\r\n\xff\xfe\r\n--b--\r\n',
    b'--b\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"a": NaN}\r\n--b--\r\n',
    b"--b\r\nX: " + b"y" * 10_000 + b"\r\n\r\n\r\n--b--",
)  # fmt: skip
TYPES: Final = (
    JSON, FORM, b"application/json; charset=utf-16", b"application/json; charset=latin-1", b"text/plain", b"", b"/",
    b"multipart/form-data", b"multipart/form-data; boundary=" + b"x" * 300, b"application/json; charset=\xff",
)  # fmt: skip
HEADERS: Final = (
    b"Idempotency-Key: \xff", b"Idempotency-Key: " + b"x" * 300, b"X: " + b"y" * 40_000, b"Cookie: " + b"a=b; " * 3000,
    b"Authorization: Bearer \x80", b"X-Request-Id: ../../x", b"traceparent: 00-" + b"0" * 60, b"Range: bytes=0-1",
    b"Origin: https://example.com", b"Transfer-Encoding: gzip", b"Content-Encoding: gzip", b"Accept: */*;q=x",
    b"Host: example.com", b"Expect: 200-maybe", b"Upgrade: h2c",
)  # fmt: skip
NAMES: Final = (
    "%00", "%ff", "%c3", "%ed%a0%80", "..", "%2e%2e", "%2f", "a%0ab", "%E2%80%A8", "x" * 300, quote("\U0001f600"),
    quote("a" + "\u0301" * 50), "%25%30%30", "*", "'%3B--", "%5c", "+", "%", "%zz",
)  # fmt: skip


def attack(options: Options) -> Iterator[Row]:
    """Yields the rows of strange requests and of damaged ones, and the row of what can be read afterwards."""
    strange, damaged = Row("strange requests"), Row("damaged requests")
    stored = Row("what was stored by them is listed, read and deleted")
    with faults_of(stored), real_service(options.folder) as server:
        for request in _strange_requests():
            _send(server, request, strange)
        check_alive(server, strange)
        random = Random(options.seed)  # noqa: S311
        valid = _valid_requests()
        for _ in range(DAMAGED):
            _send(server, _damaged(random.choice(valid), random.choice(valid), random), damaged)
        check_alive(server, damaged)
        _read_and_delete(server, stored)
    yield from (strange, damaged, stored)


Request = tuple[bytes, bytes, bytes, bytes]  # method, target, header lines, body


def _valid_requests() -> list[Request]:
    photo = portrait()
    as_text = base64.b64encode(photo).decode()
    found: list[Request] = []
    for path, fields in (
        ("/enroll", {"identity": "ada", "metadata": {"a": [1, "b"]}, "if_exists": "add", "consent_ref": "form 1"}),
        ("/identify", {"top_k": 3}), ("/embed", {}), ("/detect", {}),
    ):  # fmt: skip
        body = json.dumps(fields | {"image": as_text}).encode()
        found.append((b"POST", path.encode(), b"Content-Type: " + JSON, body))
        parts = b"".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
            f"{value if isinstance(value, str) else json.dumps(value)}\r\n".encode()
            for name, value in fields.items()
        )
        file = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n' + photo
        found.append((b"POST", path.encode(), b"Content-Type: " + FORM, parts + file + b"\r\n--b--\r\n"))
    # Most requests should not need the networks.
    for _ in range(6):
        found.append((b"PATCH", b"/identities/ada", b"Content-Type: " + JSON, b'{"metadata": {"a": {"b": [1.5]}}}'))
        found.append((b"PATCH", b"/identities/ada?gallery=default", b"Content-Type: " + JSON, b'{"identity": "ada"}'))
        found.append((b"POST", b"/identities/ada/merge", b"Content-Type: " + JSON, b'{"into": "eve"}'))
        found.append((b"GET", b"/identities?limit=3&after=a&gallery=default", b"Accept: */*", b""))
    return found


def _strange_requests() -> Iterator[Request]:
    for method, path in ((b"POST", b"/enroll"), (b"POST", b"/verify"), (b"PATCH", b"/identities/ada")):
        for kind in TYPES:
            for body in BODIES:
                yield method, path, b"Content-Type: " + kind, body
    for header in HEADERS:
        for method, path in ((b"GET", b"/identities"), (b"POST", b"/detect"), (b"HEAD", b"/healthz")):
            yield method, path, header, b""
    for name in (each.encode() for each in NAMES):
        for path in (b"/identities/" + name, b"/identities?after=" + name, b"/identities?gallery=" + name):
            yield b"GET", path, b"Accept: */*", b""
        for path in (b"/identities/" + name, b"/identities/ada/templates/" + name, b"/galleries/" + name):
            yield b"DELETE", path, b"Accept: */*", b""
    for method in (b"TRACE", b"OPTIONS", b"CONNECT", b"PROPFIND", b"get", b"X" * 100):
        yield method, b"/verify", b"Accept: */*", b""


def _damaged(request: Request, other: Request, random: Random) -> Request:
    """Returns the request with damage in its target, its header or its body."""
    method, target, header, body = request
    match random.randrange(8):
        case 0:
            target = b"/" + _line(damage(target, other[1], random))
        case 1:
            header = _line(damage(header, other[2], random))
        case _:
            body = damage(body, other[3], random)
    return method, target, header, body


def _line(content: bytes) -> bytes:
    """Removes what would end a line: the rest of the head stays as it is."""
    return content[:2000].translate(None, b"\r\n ")


def _send(server: Server, request: Request, row: Row) -> None:
    method, target, header, body = request
    lines = [method + b" " + target + b" HTTP/1.1", b"Connection: close", header]
    if not header.startswith(b"Host"):
        lines.append(b"Host: 127.0.0.1")
    lines.append(b"Content-Length: %d" % len(body))
    try:
        answer = exchange(server.port, b"\r\n".join(lines) + b"\r\n\r\n" + body)
    except ConnectionError:
        row.see("connection closed")
        return
    except TimeoutError:
        row.see("no answer")
        row.require(False, f"no answer: {method!r} {target[:60]!r} {header[:60]!r} {body[:60]!r}")
        return
    top, _, content = answer.partition(b"\r\n\r\n")
    status = int(top[9:12]) if top.startswith(b"HTTP/1.1 ") else 0
    what = str(status)
    if b"application/problem+json" in top and method != b"HEAD":
        problem = json.loads(content)
        what += f" {problem['code']}"
        row.require(STATUS.get(problem["code"]) == status, f"{what} is not documented")
    row.see(what)
    row.require(
        200 <= status < 300 or 400 <= status < 500, f"{what}: {method!r} {target[:60]!r} {header[:60]!r} {body[:60]!r}"
    )


def _read_and_delete(server: Server, row: Row) -> None:
    for gallery in _ask(server, row, "GET", "/galleries")["galleries"]:
        after = None
        while True:
            query = {"gallery": gallery["gallery"], "limit": 100} | ({"after": after} if after else {})
            page = _ask(server, row, "GET", "/identities", query)
            for each in page["identities"]:
                path, where = f"/identities/{quote(each['identity'], safe='')}", {"gallery": gallery["gallery"]}
                found = _ask(server, row, "GET", path, where)
                row.require(found == each, "an identity is not as it is listed")
                _ask(server, row, "DELETE", path, where)
            after = page["next_after"]
            if after is None:
                break
    left = _ask(server, row, "GET", "/galleries")["galleries"]
    row.require(sum(each["identities"] for each in left) == 0, "identities that cannot be deleted")


def _ask(server: Server, row: Row, method: str, path: str, query: dict[str, Any] | None = None) -> Any:
    answer = server.http.request(method, path, params=query)
    row.see(f"{method} {answer.status_code}")
    row.require(answer.status_code == 200, f"{method} of something stored: {answer.status_code}")
    return json.loads(answer.content, parse_constant=_refuse)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
