"""JSON bodies. Photos are cut out before anything parses, so that the parsed part stays small whatever is sent.

A parser in C holds Python's lock until it returns: 27 MB of brackets would stop every other request, in a thread as
well. Here the work between two photos is bounded, and base64 is decoded in pieces that let other threads go on.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from app.api.photo_fields import PhotoFields, decode_base64
from app.errors import MalformedRequest
from app.json_text import MAX_DEPTH, InvalidJson, parse_json

MARK: Final = re.compile(rb'["{}\[\]]')
ESCAPES: Final = (
    (b"\\/", b"/"),
    (b"\\r", b""),
    (b"\\n", b""),
    *((b"\\u00" + digits, chr(int(digits, 16)).encode()) for digits in (b"2b", b"2B", b"2f", b"2F", b"3d", b"3D")),
)


def parse_json_body(body: bytes, photos: PhotoFields, max_fields_bytes: int) -> Any:
    """Parses a body whose members `photos` are base64, or lists of it, and returns these as bytes.

    Raises MalformedRequest, also if everything but the photos exceeds `max_fields_bytes`.
    """
    rest, cut = _cut_photos(body, photos, max_fields_bytes)
    try:
        fields = parse_json(rest)
    except InvalidJson as error:
        raise _malformed("body", str(error)) from error
    if isinstance(fields, dict):
        for name in photos.single & fields.keys():
            fields[name] = _decode_photo(name, fields[name], cut)
        for name in photos.several & fields.keys():
            if isinstance(fields[name], list):
                numbered = enumerate(fields[name])
                fields[name] = [_decode_photo(f"{name}.{number}", each, cut) for number, each in numbered]
    return fields


def _decode_photo(name: str, value: Any, cut: Mapping[str, bytes]) -> Any:
    """Decodes the text that stands for a photo; leaves a value that is not text."""
    if not isinstance(value, str):
        return value
    text = cut[value] if value in cut else value.encode()
    return decode_base64(name, _unescape(text) if b"\\" in text else text)


def _unescape(text: bytes) -> bytes:
    """Replaces what clients escape in base64: slashes, line breaks, and by number +, / and =.

    Leaves every other escape, which base64 then refuses.
    """
    for escape, character in ESCAPES:
        text = text.replace(escape, character)
    return text


def _cut_photos(body: bytes, photos: PhotoFields, max_fields_bytes: int) -> tuple[bytes, dict[str, bytes]]:
    """Replaces the value of each photo by a short string, and returns the rest and the values by these strings."""
    rest, cut = bytearray(), dict[str, bytes]()
    position, depth, key = 0, 0, b""
    in_list = False  # of photos
    while True:
        room = max_fields_bytes - len(rest)
        mark = MARK.search(body, position, position + room + 1)
        end = mark.start() if mark else min(len(body), position + room + 1)
        between = body[position:end]
        rest += between
        if len(rest) > max_fields_bytes:
            raise _malformed("body", f"has more than {max_fields_bytes:,} bytes besides the photos")
        if mark is None:
            return bytes(rest), cut
        is_value = depth == 1 and between.strip() == b":"
        if mark[0] != b'"':
            in_list = mark[0] == b"[" and is_value and key.decode("latin-1") in photos.several
            depth += 1 if mark[0] in b"{[" else -1
            if depth > MAX_DEPTH:
                raise _malformed("body", f"has more than {MAX_DEPTH} levels")
            rest += mark[0]
            position, key = end + 1, b""
            continue
        is_photo = in_list or (is_value and key.decode("latin-1") in photos.single)
        limit = len(body) if is_photo else min(len(body), end + room)
        close = body.find(b'"', end + 1, limit)
        while close > 0 and not is_photo and _is_escaped(body, close):
            close = body.find(b'"', close + 1, limit)
        if close < 0:
            raise _malformed("body", "has a string without an end, or one that is too long")
        text = body[end + 1 : close]
        if is_photo:
            placeholder = f"photo {len(cut)}"
            cut[placeholder] = text
            rest += f'"{placeholder}"'.encode()
        else:
            rest += b'"' + text + b'"'
        position, key = close + 1, text


def _is_escaped(body: bytes, quote: int) -> bool:
    """Says whether an odd number of backslashes precedes the quote."""
    start = quote
    while body[start - 1 : start] == b"\\":
        start -= 1
    return (quote - start) % 2 == 1


def _malformed(field: str, message: str) -> MalformedRequest:
    return MalformedRequest([{"field": field, "message": message}])
