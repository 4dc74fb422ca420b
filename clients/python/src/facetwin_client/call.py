"""One request to the service, described without sending it. Sync and async clients send the same ones."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any, Generic, Self, TypeVar

from facetwin_client.photos import Photo, read_photo

T = TypeVar("T")

VERSION = "/v1"  # of the service's API


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request and the form of its answer."""

    method: str
    path: str
    read: Callable[[Any], T]  # from the answer's JSON; raises json_form.Unreadable
    photos: Sequence[tuple[str, Photo]] = ()  # name of the field, and photo
    fields: Mapping[str, Any] = field(default_factory=dict)  # sent beside photos; None is left out
    query: Mapping[str, Any] = field(default_factory=dict)  # None is left out
    body: Mapping[str, Any] | None = None  # sent as JSON; for requests without photos
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False  # sent twice, it changes nothing more than once
    answers: frozenset[int] = frozenset()  # statuses of errors that are answers all the same

    @property
    def versioned_path(self) -> str:
        """The path below the service's address."""
        return VERSION + self.path

    def after(self, last: str) -> Self:
        """Returns the request for the page after `last`."""
        return replace(self, query={**self.query, "after": last})

    def encode(self) -> dict[str, Any]:
        """Returns httpx's arguments. Reads the photos, once for all attempts. Raises OSError, TypeError, ValueError."""
        arguments: dict[str, Any] = {"headers": dict(self.headers)}
        if query := {name: value for name, value in self.query.items() if value is not None}:
            arguments["params"] = query
        if self.photos:
            arguments["files"] = [(name, ("photo", read_photo(photo))) for name, photo in self.photos]
            arguments["data"] = {name: _form_value(value) for name, value in self.fields.items() if value is not None}
        elif self.body is not None:
            arguments["json"] = dict(self.body)
        return arguments


def _form_value(value: Any) -> str:
    match value:
        case bool() | Mapping() | list() | tuple():
            return json.dumps(value, allow_nan=False)
        case datetime():
            return value.isoformat()
        case Enum():
            return str(value.value)
        case _:
            return str(value)
