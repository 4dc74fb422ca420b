"""JSON that can be stored and read again: by SQLite, by PostgreSQL, and by every client's parser.

Messages never quote the text.
"""

import json
import math
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32  # levels of objects and lists
MAX_METADATA_BYTES: Final = 16 * 1024  # as UTF-8


class InvalidJson(ValueError):
    """JSON that is refused. The message says why, without a subject: `is not valid JSON`."""


def parse_json(text: bytes | str) -> Any:
    """Parses JSON strictly: UTF-8, no NaN, no member twice, at most 32 levels, no text that a store refuses.

    Raises InvalidJson. The time grows with the text: bound its length first.
    """
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
        value = json.loads(decoded, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates)
    except UnicodeDecodeError as error:
        raise InvalidJson("is not valid UTF-8") from error
    except InvalidJson:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidJson("is not valid JSON, or is nested too deeply") from error
    check_json(value)
    return value


def check_json(value: Any) -> None:
    """Raises InvalidJson if a parsed value is nested too deeply, or has a number or text that cannot be stored."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.keys()
                inner += each.values()
            elif isinstance(each, list):
                inner += each
            elif isinstance(each, str):
                _check_string(each)
            elif isinstance(each, float) and not math.isfinite(each):
                raise InvalidJson("has a number that is not finite")
        if not inner:
            return
        level = inner
    raise InvalidJson(f"has more than {MAX_DEPTH} levels")


def check_metadata(value: dict[str, Any]) -> dict[str, Any]:
    """Returns the metadata of an identity. Raises InvalidJson if it cannot be stored or has more than 16 KiB."""
    check_json(value)
    if len(json.dumps(value, ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
        raise InvalidJson("is larger than 16 KiB; send less")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJson("has a number that is not finite")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Parsers differ in which of two members counts: what one checks, another one would not see."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidJson("has an object with the same member twice")
    return members


def _check_string(text: str) -> None:
    if "\0" in text:
        raise InvalidJson("has a NUL character, which cannot be stored")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidJson("is not valid Unicode: it has half of a surrogate pair") from error
