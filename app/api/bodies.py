"""Request bodies: multipart with files, or JSON with base64 images, parsed into the same model."""

import base64
import binascii
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ValidationError, WithJsonSchema
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.api.problems import field_errors
from app.errors import MalformedRequest
from model.errors import ImageTooLarge

T = TypeVar("T", bound=BaseModel)

MAX_FIELDS_BYTES: Final = 64 * 1024  # for all fields that are not images
JSON_TYPE, FORM_TYPE = "application/json", "multipart/form-data"


def _decode_base64(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    content = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("is not valid base64; send the photo's bytes in base64, or as a file in multipart") from error


def _decode_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError("is not valid JSON") from error


Photo = Annotated[
    bytes, BeforeValidator(_decode_base64), WithJsonSchema({"type": "string", "contentEncoding": "base64"})
]
JsonObject = Annotated[dict[str, Any], BeforeValidator(_decode_json)]


def body_parser(model: type[T]) -> Callable[[Request], Awaitable[T]]:
    """Returns a FastAPI dependency that parses either form of the body. It raises MalformedRequest, ImageTooLarge."""
    photos = _photo_fields(model)

    async def parse(request: Request) -> T:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        max_bytes = len(photos) * request.app.state.settings.max_image_bytes + MAX_FIELDS_BYTES
        if content_type == JSON_TYPE:
            fields = await _read_json(request, max_bytes * 4 // 3)
        elif content_type == FORM_TYPE:
            fields = await _read_form(request, max_bytes, photos)
        else:
            raise MalformedRequest(
                [{"field": "body", "message": f"send {FORM_TYPE} with the photo as a file, or {JSON_TYPE} with base64"}]
            )
        try:
            return model.model_validate(fields)
        except ValidationError as error:
            raise MalformedRequest(field_errors(error.errors(include_input=False, include_url=False))) from error

    return parse


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


async def _read_json(request: Request, max_bytes: int) -> Any:
    content = b"".join([chunk async for chunk in _stream_bounded(request, max_bytes)])
    if not content:
        raise MalformedRequest([{"field": "body", "message": "is empty"}])
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest([{"field": "body", "message": "is not valid JSON"}]) from error


async def _read_form(request: Request, max_bytes: int, photos: frozenset[str]) -> dict[str, Any]:
    parser = MultiPartParser(
        request.headers,
        _stream_bounded(request, max_bytes),
        max_files=len(photos) + 1,
        max_fields=32,
        max_part_size=MAX_FIELDS_BYTES,
    )
    parser.spool_max_size = max_bytes  # keeps photos in memory: starlette writes no temporary file
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise MalformedRequest([{"field": "body", "message": f"is not valid multipart: {_reason(error)}"}]) from error
    try:
        fields = {name: await _read_value(name, value, photos) for name, value in form.multi_items()}
    finally:
        await form.close()
    if not fields:
        raise MalformedRequest([{"field": "body", "message": "is empty"}])
    return fields


async def _read_value(name: str, value: UploadFile | str, photos: frozenset[str]) -> bytes | str:
    if isinstance(value, UploadFile):
        return await value.read()
    if name in photos:
        raise MalformedRequest([{"field": name, "message": "must be a file: with curl, -F name=@photo.jpg"}])
    return value


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, MultiPartException) else "the boundary is missing"


async def _stream_bounded(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """Yields the body in chunks. Raises ImageTooLarge as soon as it exceeds `max_bytes`, without reading the rest."""
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > max_bytes:
            raise ImageTooLarge(f"The request is larger than {max_bytes:,} bytes. Send smaller photos.")
        yield chunk
