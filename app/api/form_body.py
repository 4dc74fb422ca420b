"""Multipart bodies, kept in memory. What they cost grows with their bytes alone, whatever these are."""

from collections.abc import Iterable
from typing import Any, Final

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from app.api.photo_fields import PhotoFields, decode_base64
from app.errors import MalformedRequest

SHORTEST_BASE64: Final = 64  # characters; what is shorter is the name of a file, sent by mistake
MAX_PARTS: Final = 32
MAX_PART_HEADERS: Final = 8
MAX_PART_HEADER_BYTES: Final = 4096
CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def parse_form_body(
    content_type: str, chunks: Iterable[bytes], photos: PhotoFields, max_fields_bytes: int
) -> dict[str, Any]:
    """Parses a form: photos as bytes, fields of several photos as a list of bytes, all others as text in UTF-8.

    Raises MalformedRequest, also for two fields with one name, more than 32 parts, and if all fields but the photos
    exceed `max_fields_bytes`.
    """
    boundary = parse_options_header(content_type)[1].get("boundary")
    if not boundary:
        raise _malformed("body", "is not valid multipart: the boundary is missing")
    check_charset("body", content_type)
    fields: dict[str, Any] = {}
    room = max_fields_bytes
    content: list[bytes] = []
    part: MultipartSegment | None = None
    try:
        parser = PushMultipartParser(
            boundary,
            max_header_size=MAX_PART_HEADER_BYTES,
            max_header_count=MAX_PART_HEADERS,
            max_segment_count=MAX_PARTS,
        )
        with parser:
            for chunk in chunks:
                for event in parser.parse(chunk):
                    if isinstance(event, MultipartSegment):
                        part, content = event, []
                    elif event:
                        content.append(event)
                        room -= 0 if part and part.name in photos else len(event)
                        if room < 0:
                            raise _malformed("body", f"has more than {max_fields_bytes:,} bytes besides the photos")
                    elif part is not None:
                        _add(fields, part, b"".join(content), photos)
    except ParserLimitReached as error:
        limits = f"{MAX_PARTS} parts, {MAX_PART_HEADERS} headers a part, {MAX_PART_HEADER_BYTES:,} bytes a header"
        raise _malformed("body", f"is not valid multipart: at most {limits}") from error
    except MultipartError as error:
        # The parser's messages are constants; none of them quotes the body.
        raise _malformed("body", f"is not valid multipart: {error.args[0]}") from error
    if not fields:
        raise _malformed("body", "is empty")
    return fields


def _add(fields: dict[str, Any], part: MultipartSegment, content: bytes, photos: PhotoFields) -> None:
    name = part.name or ""
    if name in photos.several:
        fields.setdefault(name, []).append(_value(part, content, photos))
    elif name in fields:
        raise _malformed(name, "is there twice; send it once")
    else:
        fields[name] = _value(part, content, photos)


def _value(part: MultipartSegment, content: bytes, photos: PhotoFields) -> bytes | str:
    name = part.name or ""
    if name in photos:
        return content if part.filename is not None else _unnamed_photo(name, content)
    if part.filename is not None:
        return content
    check_charset(name, part.header("Content-Type", ""))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _malformed(name, "is not valid UTF-8") from error


def _unnamed_photo(name: str, content: bytes) -> bytes:
    """A photo without a file name: its bytes, as some clients send them, or text in base64."""
    if not content or not content.isascii() or b"\0" in content:
        return content  # the header of every image format has bytes that are no text
    if len(content) >= SHORTEST_BASE64:
        return decode_base64(name, content.strip())
    raise _malformed(name, "must be a file, or its bytes in base64: with curl, -F name=@photo.jpg")


def check_charset(field: str, content_type: str) -> None:
    """Raises MalformedRequest if the type of a body or a part names another charset than UTF-8."""
    charset = parse_options_header(content_type)[1].get("charset", "")
    if "charset" in content_type.lower() and charset.lower() not in CHARSETS:
        raise _malformed(field, "must be UTF-8; its charset says otherwise")


def _malformed(field: str, message: str) -> MalformedRequest:
    return MalformedRequest([{"field": field, "message": message}])
