"""JSON bodies. Photos are cut out before anything parses, so that the parsed part stays small whatever is sent.

A parser in C holds Python's lock until it returns: 27 MB of brackets would stop every other request, in a thread as
well. Here the work between two photos is bounded, and base64 is decoded in pieces that let other threads go on.
"""

import binascii
import re
from typing import Any, Final

from app.errors import MalformedRequest
from app.json_text import MAX_DEPTH, InvalidJson, parse_json

PIECE: Final = 512 * 1024  # characters of base64 decoded at once; a multiple of 4
MARK: Final = re.compile(rb'["{}\[\]]')
ESCAPES: Final = (
    (b"\\/", b"/"),
    (b"\\r", b""),
    (b"\\n", b""),
    *((b"\\u00" + digits, chr(int(digits, 16)).encode()) for digits in (b"2b", b"2B", b"2f", b"2F", b"3d", b"3D")),
)
NOT_BASE64: Final = "is not valid base64; send the photo's bytes in base64, or as a file in multipart"


def parse_json_body(body: bytes, photos: frozenset[str], max_fields_bytes: int) -> Any:
    """Parses a body whose members `photos` are base64, and returns these as bytes.

    Raises MalformedRequest, also if everything but the photos exceeds `max_fields_bytes`.
    """
    rest, cut = _cut_photos(body, photos, max_fields_bytes)
    try:
        fields = parse_json(rest)
    except InvalidJson as error:
        raise _malformed("body", str(error)) from error
    if isinstance(fields, dict):
        for name in photos & fields.keys():
            if isinstance(fields[name], str):
                text = cut[fields[name]] if fields[name] in cut else fields[name].encode()
                fields[name] = decode_photo(name, text)
    return fields


def decode_photo(name: str, text: bytes) -> bytes:
    """Decodes a photo in base64, with or without the start of a data URL. Raises MalformedRequest."""
    if text.startswith(b"data:"):
        text = text[text.find(b",", 0, 200) + 1 :]
    if b"\\" in text:
        text = _unescape(text)
    try:
        if 0 <= text.find(b"=") < len(text) - 2:  # within a piece, the decoder sees that itself; between two, it cannot
            raise ValueError("padding before the end")
        return b"".join(
            binascii.a2b_base64(text[start : start + PIECE], strict_mode=True) for start in range(0, len(text), PIECE)
        )
    except ValueError as error:
        raise _malformed(name, NOT_BASE64) from error


def _unescape(text: bytes) -> bytes:
    """Replaces what clients escape in base64: slashes, line breaks, and by number +, / and =.

    Leaves every other escape, which base64 then refuses.
    """
    for escape, character in ESCAPES:
        text = text.replace(escape, character)
    return text


def _cut_photos(body: bytes, photos: frozenset[str], max_fields_bytes: int) -> tuple[bytes, dict[str, bytes]]:
    """Replaces the value of each photo by a short string, and returns the rest and the values by these strings."""
    rest, cut = bytearray(), dict[str, bytes]()
    position, depth, key = 0, 0, b""
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
        if mark[0] != b'"':
            depth += 1 if mark[0] in b"{[" else -1
            if depth > MAX_DEPTH:
                raise _malformed("body", f"has more than {MAX_DEPTH} levels")
            rest += mark[0]
            position, key = end + 1, b""
            continue
        is_photo = depth == 1 and between.strip() == b":" and key.decode("latin-1") in photos
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
