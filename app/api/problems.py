"""Error responses as RFC 9457 `application/problem+json`."""

import logging
import traceback
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount
from starlette.types import Scope

from app.errors import (
    FacetwinError,
    GalleryUnavailable,
    MalformedRequest,
    Overloaded,
    PresentationAttack,
    RequestTimeout,
    Unauthorized,
)
from model.calibration import TargetUnsupported
from model.errors import PhotoError

log = logging.getLogger("facetwin")

KnownError = FacetwinError | PhotoError | TargetUnsupported
ROOT: Final = Path(__file__).parents[2]  # of our packages
METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
FILE_METHODS: Final = ("GET", "HEAD")  # what is mounted are folders of files, which match any method
KNOWN_ERRORS: Final = (FacetwinError, PhotoError, TargetUnsupported)

STATUS: Final = {
    "malformed_request": 400,
    "empty_image": 400,
    "corrupt_image": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "foreign_request": 403,
    "not_found": 404,
    "unknown_gallery": 404,
    "unknown_identity": 404,
    "unknown_template": 404,
    "unknown_rejection": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "identity_exists": 409,
    "encoder_mismatch": 409,
    "templates_expired": 409,
    "too_many_rejections": 409,
    "image_too_large": 413,
    "request_too_large": 413,
    "unsupported_image": 415,
    "no_face_found": 422,
    "photo_too_expensive": 422,
    "several_faces": 422,
    "unrecognizable_face": 422,
    "presentation_attack": 422,
    "idempotency_key_reused": 422,
    "low_quality": 422,
    "target_unsupported": 422,
    "overloaded": 429,
    "rate_limited": 429,
    "internal_error": 500,
    "not_ready": 503,
    "gallery_unavailable": 503,
    "liveness_unavailable": 503,
    "deadline_exceeded": 504,
}


# What every route of the API can answer, what routes that take photos can, and what routes of the gallery can. Only
# routes with a body can wait for it.
SERVICE_CODES: Final = (
    "malformed_request",
    "unauthorized",
    "forbidden",
    "foreign_request",
    "overloaded",
    "rate_limited",
    "internal_error",
    "not_ready",
    "gallery_unavailable",  # also of the keys
    "deadline_exceeded",
)
PHOTO_CODES: Final = (
    *SERVICE_CODES,
    "request_timeout",
    "empty_image",
    "corrupt_image",
    "image_too_large",
    "unsupported_image",
    "photo_too_expensive",
)
LIVENESS_CODES: Final = ("presentation_attack", "liveness_unavailable")  # FACETWIN_LIVENESS holds for every photo
FACE_CODES: Final = (*PHOTO_CODES, "no_face_found", "several_faces", *LIVENESS_CODES)
GALLERY_CODES: Final = (*SERVICE_CODES, "request_too_large")


RETRIED: Final = frozenset({"overloaded", "rate_limited", "gallery_unavailable"})  # their answers have Retry-After
# An enum for OpenAPI, made of the list above so that none is missing.
ProblemCode = StrEnum("ProblemCode", {code.upper(): code for code in STATUS})  # type: ignore[misc]


class Problem(BaseModel):
    """RFC 9457, with `code` to switch on and `request_id` to quote to the operator."""

    type: str = Field(examples=["urn:facetwin:problem:no_face_found"])
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["No face was found in any of four orientations. ..."])
    code: ProblemCode = Field(examples=["no_face_found"])
    request_id: str
    field: str | None = Field(None, description="Name of the photo with the problem, if the request has several.")
    errors: list[dict[str, str]] | None = Field(None, description="For malformed_request: each field and its error.")


def problem_responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Returns the `responses` of a route that can fail with these codes, for OpenAPI."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS[code], []).append(code)
    return {status: problem_response(*names) for status, names in sorted(by_status.items())}


def problem_response(*codes: str) -> dict[str, Any]:
    """Returns a response with one of these codes, for OpenAPI."""
    response: dict[str, Any] = {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if RETRIED & set(codes):
        seconds = {"type": "integer", "minimum": 1}
        response["headers"] = {"Retry-After": {"description": "Seconds to wait, if known.", "schema": seconds}}
    return response


def install_problem_handlers(app: FastAPI) -> None:
    """Makes every error of a route a Problem. RequestLogMiddleware handles unexpected exceptions."""

    @app.exception_handler(FacetwinError)
    @app.exception_handler(PhotoError)
    @app.exception_handler(TargetUnsupported)
    async def handle_known_error(request: Request, error: KnownError) -> JSONResponse:
        return known_error_response(request.scope, error)

    @app.exception_handler(RequestValidationError)
    async def handle_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        malformed = MalformedRequest(field_errors(error.errors()))
        return _problem_response(request.scope, malformed.code, str(malformed), errors=malformed.errors)

    @app.exception_handler(HTTPException)
    async def handle_http_error(request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "not_found", 405: "method_not_allowed"}
        code = codes.get(error.status_code, "malformed_request")
        detail = f"{error.detail}. See /docs for the routes and methods."
        headers = dict(error.headers or {})
        if code == "method_not_allowed":
            headers["Allow"] = ", ".join(_methods(app, request.scope))
        return _problem_response(request.scope, code, detail, headers)


def _methods(app: FastAPI, scope: Scope) -> list[str]:
    """Returns the methods of all routes for the path. The router names only those of the first one."""
    scope = {**scope, "root_path": scope.get("app_root_path", scope.get("root_path", ""))}  # a mount has changed it
    return [
        method
        for method in METHODS
        if any(
            route.matches({**scope, "method": method})[0] is Match.FULL
            and (not isinstance(route, Mount) or method in FILE_METHODS)
            for route in app.routes
        )
    ]


def known_error_response(scope: Scope, error: KnownError) -> JSONResponse:
    """The problem of an error whose message is meant for the client."""
    extra: dict[str, Any] = {}
    headers = {}
    if isinstance(error, PhotoError | PresentationAttack) and error.field:
        extra["field"] = error.field
    if isinstance(error, MalformedRequest):
        extra["errors"] = error.errors
    if isinstance(error, Overloaded | GalleryUnavailable):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RequestTimeout):
        headers["Connection"] = "close"  # the client may go on sending
    return _problem_response(scope, error.code, str(error), headers, **extra)


def internal_error_response(request_id: str, error: Exception) -> JSONResponse:
    """Logs an unexpected error's type, where it was raised, and the line of ours that led there; the response holds
    only the request id.

    The error's message is neither logged nor sent: it could quote the request.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno}" for frame in frames] or ["?"]
    ours = [place.removeprefix(f"{ROOT}/") for place in places if place.startswith((f"{ROOT}/app/", f"{ROOT}/model/"))]
    extra = {"error": type(error).__name__, "where": places[-1], "ours": ours[-1] if ours else "?"}
    log.error("internal_error", extra={**extra, "request_id": request_id})
    return _respond(request_id, "internal_error", "Something went wrong. Quote the request id to the operator.")


def field_errors(errors: Any) -> list[dict[str, str]]:
    """Converts pydantic's errors to field names and messages, without the values."""
    return [
        {
            "field": ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path")) or "body",
            "message": str(error["msg"]),
        }
        for error in errors
    ]


def _problem_response(
    scope: Scope, code: str, detail: str, headers: dict[str, str] | None = None, **extra: Any
) -> JSONResponse:
    scope["state"]["problem"] = code  # counted by RequestLogMiddleware
    return _respond(scope["state"]["request_id"], code, detail, headers, **extra)


def _respond(
    request_id: str, code: str, detail: str, headers: dict[str, str] | None = None, **extra: Any
) -> JSONResponse:
    status = STATUS[code]
    body = {
        "type": f"urn:facetwin:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        **extra,
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")
