"""Converts between answers and JSON. Fields that this version does not know are kept in `extra`."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from facetwin_client.answers import Record

T = TypeVar("T")


class Unreadable(ValueError):
    """The JSON has another form than expected. The message names the field, never its value."""


def read_answer(kind: type[T], content: Any) -> T:
    """Returns the answer, of a class of facetwin_client.answers, that this JSON says. Raises Unreadable."""
    return cast(T, _read(kind, content, "the answer"))


def as_json(record: Record) -> dict[str, Any]:
    """Returns an answer as JSON, with the fields that this version does not know.

    A field that an older service did not send has its default.
    """
    known = {each.name: _write(getattr(record, each.name)) for each in fields(record) if each.name != "extra"}
    return {**known, **record.extra}


def _read(kind: Any, value: Any, place: str) -> Any:
    options = get_args(kind)
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        return None if value is None else _read(next(each for each in options if each is not NoneType), value, place)
    if origin is tuple:
        if not isinstance(value, list) or (options[-1] is not Ellipsis and len(options) != len(value)):
            raise Unreadable(f"{place} is not the expected list")
        kinds = [options[0]] * len(value) if options[-1] is Ellipsis else options
        return tuple(_read(each, item, place) for each, item in zip(kinds, value, strict=True))
    if is_dataclass(kind):
        return _read_record(kind, value, place)
    if kind is datetime and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise Unreadable(f"{place} is not a time") from error
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    expected = origin or kind
    if not isinstance(value, expected) or (kind is int and isinstance(value, bool)):
        raise Unreadable(f"{place} is not of type {expected.__name__}")
    return value


def _read_record(kind: Any, value: Any, place: str) -> Any:
    if not isinstance(value, Mapping):
        raise Unreadable(f"{place} is not an object")
    hints = _hints(kind)
    known = {name: _read(hints[name], value[name], name) for name in hints if name in value}
    try:
        return kind(**known, extra={name: content for name, content in value.items() if name not in hints})
    except TypeError as error:
        missing = ", ".join(name for name in hints if name not in value)
        raise Unreadable(f"{place} lacks one of the fields {missing}") from error


@cache
def _hints(kind: type) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(kind).items() if name != "extra"}


def _write(value: Any) -> Any:
    match value:
        case Record():
            return as_json(value)
        case tuple():
            return [_write(each) for each in value]
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return value
