"""Request bodies: multipart with files, or JSON with base64 images, parsed into the same model on a thread."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Request
from multipart import parse_options_header
from pydantic import BaseModel, BeforeValidator, ValidationError, WithJsonSchema

from app.api.form_body import check_charset, parse_form_body
from app.api.json_body import parse_json_body
from app.api.problems import field_errors
from app.body_limits import MAX_FIELDS_BYTES
from app.errors import MalformedRequest
from app.json_text import parse_json

T = TypeVar("T", bound=BaseModel)

JSON_TYPE, FORM_TYPE = "application/json", "multipart/form-data"


def _decode_json(value: Any) -> Any:
    return parse_json(value) if isinstance(value, str) else value


Photo = Annotated[bytes, WithJsonSchema({"type": "string", "contentEncoding": "base64"})]
JsonObject = Annotated[dict[str, Any], BeforeValidator(_decode_json)]


def body_parser(model: type[T]) -> Callable[[Request], Awaitable[T]]:
    """Returns a FastAPI dependency that parses either form of the body. It raises MalformedRequest."""
    photos = _photo_fields(model)

    def parse_on_thread(content_type: str, chunks: list[bytes]) -> T:
        fields = _parse(content_type, chunks, photos)
        try:
            return model.model_validate(fields)
        except ValidationError as error:
            raise MalformedRequest(field_errors(error.errors(include_input=False, include_url=False))) from error

    async def parse(request: Request) -> T:
        chunks = [chunk async for chunk in request.stream() if chunk]
        return await asyncio.to_thread(parse_on_thread, request.headers.get("content-type", ""), chunks)

    return parse


def _parse(content_type: str, chunks: list[bytes], photos: frozenset[str]) -> Any:
    kind = parse_options_header(content_type)[0]
    if kind not in (JSON_TYPE, FORM_TYPE):
        words = f"send {FORM_TYPE} with the photo as a file, or {JSON_TYPE} with base64"
        raise MalformedRequest([{"field": "body", "message": words}])
    if not chunks:
        raise MalformedRequest([{"field": "body", "message": "is empty"}])
    if kind == FORM_TYPE:
        return parse_form_body(content_type, chunks, photos, MAX_FIELDS_BYTES)
    check_charset("body", content_type)
    return parse_json_body(b"".join(chunks), photos, MAX_FIELDS_BYTES)


def openapi_request_body(model: type[BaseModel]) -> dict[str, Any]:
    """Returns a route's `openapi_extra`, which documents both forms of the body."""
    as_json = model.model_json_schema()
    definitions = as_json.pop("$defs", {})
    as_json = _inline_references(as_json, definitions)
    as_form = json.loads(json.dumps(as_json))
    for name, schema in as_form["properties"].items():
        if name in _photo_fields(model):
            described = {key: value for key, value in schema.items() if key in ("title", "description")}
            as_form["properties"][name] = {**described, "type": "string", "format": "binary"}
    # The form comes first: /docs offers a file button for the first content type.
    content = {FORM_TYPE: {"schema": as_form}, JSON_TYPE: {"schema": as_json}}
    return {"requestBody": {"required": True, "content": content}}


def _inline_references(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inline_references(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        referenced = definitions[schema["$ref"].rsplit("/", 1)[-1]]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**_inline_references(referenced, definitions), **_inline_references(rest, definitions)}
    return {key: _inline_references(value, definitions) for key, value in schema.items()}


def _photo_fields(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, field in model.model_fields.items() if field.annotation is bytes)
