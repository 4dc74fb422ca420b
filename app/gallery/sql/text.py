"""Names and metadata as text in the tables: what is stored can be read again, sent as JSON and named in a URL."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.errors import MalformedRequest
from app.json_text import InvalidJson, check_json, parse_json
from app.names import InvalidName, clean_gallery, clean_identity

UNREADABLE: Final = "facetwin_unreadable"  # key of what is shown instead of metadata that an old version stored

StoredText = bytes | str


def check_names(gallery: str, identity: str) -> None:
    """Raises MalformedRequest for names that could not be read again, or that no URL can name."""
    for field, name, clean in (("gallery", gallery, clean_gallery), ("identity", identity, clean_identity)):
        try:
            cleaned = clean(name)
        except InvalidName as error:
            raise MalformedRequest([{"field": field, "message": str(error)}]) from error
        if cleaned != name:
            raise MalformedRequest(
                [{"field": field, "message": "is not in Unicode's form NFC, or has spaces around it"}]
            )


def write_metadata(metadata: Mapping[str, Any]) -> str:
    """Formats metadata. Raises MalformedRequest for what could not be read again."""
    try:
        check_json(dict(metadata))
    except InvalidJson as error:
        raise MalformedRequest([{"field": "metadata", "message": str(error)}]) from error
    return json.dumps(dict(metadata))


def read_metadata(text: str) -> Mapping[str, Any]:
    """Parses stored metadata. What cannot be sent as JSON gives an object that says so, never an error."""
    try:
        value = parse_json(text)
    except InvalidJson as error:
        return {UNREADABLE: str(error)}
    return value if isinstance(value, dict) else {UNREADABLE: "is not a JSON object"}


def unreadable_rows(rows: Iterable[tuple[StoredText, StoredText, StoredText, str]]) -> list[str]:
    """Returns a sentence for each row of gallery, identity, metadata and template id that cannot be read.

    No sentence contains a person's name.
    """
    errors = []
    for gallery, identity, metadata, template_id in rows:
        where = f"of the person with the template {template_id}"
        try:
            name = _text(identity)
            if clean_identity(name) != name:
                errors.append(f"The name {where} is not in Unicode's form NFC, or has spaces around it.")
        except InvalidName as error:
            errors.append(f"The name {where} {error}.")
        try:
            clean_gallery(_text(gallery))
        except InvalidName as error:
            errors.append(f"The gallery {where} has a name that {error}.")
        try:
            if not isinstance(parse_json(metadata), dict):
                errors.append(f"The metadata {where} is not a JSON object.")
        except InvalidJson as error:
            errors.append(f"The metadata {where} {error}.")
    return errors


def _text(stored: StoredText) -> str:
    return stored.decode("utf-8", "surrogateescape") if isinstance(stored, bytes) else stored
