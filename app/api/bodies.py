"""Request bodies: multipart with files, or JSON with base64 images, parsed into the same model on a thread."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar, get_args, get_origin

from fastapi import Request
from multipart import parse_options_header
from pydantic import BaseModel, BeforeValidator, ValidationError, ValidationInfo, WithJsonSchema

from app.api.dependencies import caller_of
from app.api.form_body import check_charset, parse_form_body
from app.api.json_body import parse_json_body
from app.api.photo_fields import PhotoFields
from app.api.problems import field_errors
from app.api.scopes import check_body
from app.body_limits import MAX_FIELDS_BYTES
from app.errors import MalformedRequest
from app.json_text import parse_json

T = TypeVar("T", bound=BaseModel)

JSON_TYPE, FORM_TYPE = "application/json", "multipart/form-data"
COMPONENTS = "#/components/schemas/"
DEFINITIONS = "x-definitions"


def _decode_json(value: Any) -> Any:
    return parse_json(value) if isinstance(value, str) else value


def _refuse_text_in_json(value: Any, info: ValidationInfo) -> Any:
    """All fields of a form are text; JSON has numbers."""
    if info.context == JSON_TYPE and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError("must be a number")
    return value


Photo = Annotated[bytes, WithJsonSchema({"type": "string", "contentEncoding": "base64", "minLength": 1})]
JsonObject = Annotated[dict[str, Any], BeforeValidator(_decode_json)]
JsonList = BeforeValidator(_decode_json)  # a list, in a form as JSON
IsNumber = BeforeValidator(_refuse_text_in_json)


def body_parser(model: type[T]) -> Callable[[Request], Awaitable[T]]:
    """Returns a FastAPI dependency that parses either form of the body. It raises MalformedRequest and Forbidden."""
    photos = _photo_fields(model)

    def parse_on_thread(content_type: str, chunks: list[bytes]) -> T:
        kind = parse_options_header(content_type)[0]
        fields = _parse(kind, content_type, chunks, photos)
        try:
            return model.model_validate(fields, context=kind)
        except ValidationError as error:
            raise MalformedRequest(field_errors(error.errors(include_input=False, include_url=False))) from error

    async def parse(request: Request) -> T:
        chunks = [chunk async for chunk in request.stream() if chunk]
        body = await asyncio.to_thread(parse_on_thread, request.headers.get("content-type", ""), chunks)
        check_body(caller_of(request), body, (request.method, request.scope["route"].path))
        return body

    return parse


def _parse(kind: str, content_type: str, chunks: list[bytes], photos: PhotoFields) -> Any:
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
    """Returns a route's `openapi_extra`, which documents both forms of the body.

    The schemas stand inside, with what they refer to under DEFINITIONS; `openapi_schema` moves all to the components.
    """
    as_json = model.model_json_schema(ref_template=COMPONENTS + "{model}")
    definitions = as_json.pop("$defs", {})
    photos = _photo_fields(model)
    as_form = json.loads(json.dumps(as_json))
    as_form["title"] = as_json["title"].removesuffix("Request") + "Form"
    as_form["properties"] = {name: _form_field(name, field, photos) for name, field in as_form["properties"].items()}
    # The form comes first: /docs offers a file button for the first content type, and generators take it.
    content = {FORM_TYPE: {"schema": as_form}, JSON_TYPE: {"schema": as_json}}
    return {"requestBody": {"required": True, "content": content, DEFINITIONS: definitions}}


def _form_field(name: str, schema: dict[str, Any], photos: PhotoFields) -> dict[str, Any]:
    """The schema of a field in a form: it has no null, photos are files, and lists of numbers are JSON."""
    described = {key: value for key, value in schema.items() if key in ("title", "description")}
    file = {"type": "string", "format": "binary", "minLength": 1}
    if name in photos.single:
        return {**described, **file}
    choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if len(choices) == 1:
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        schema = {**choices[0], **rest}
    if schema.get("type") != "array":
        return schema
    if name in photos.several:
        return {**schema, "items": file}
    return {**described, "type": "string", "contentMediaType": JSON_TYPE}


def _photo_fields(model: type[BaseModel]) -> PhotoFields:
    """A photo's field is of bytes, or of a list of bytes, in either case perhaps optional."""
    single, several = set(), set()
    for name, field in model.model_fields.items():
        kinds = _kinds(field.annotation)
        if bytes in kinds:
            single.add(name)
        elif list in kinds:
            several.add(name)
    return PhotoFields(frozenset(single), frozenset(several))


def _kinds(annotation: Any) -> set[Any]:
    """`bytes` for a photo, `list` for a list of photos; also inside a union or an Annotated."""
    if annotation is bytes:
        return {bytes}
    inner: set[Any] = set().union(*map(_kinds, get_args(annotation))) if get_args(annotation) else set()
    return {list} if get_origin(annotation) is list and bytes in inner else inner
