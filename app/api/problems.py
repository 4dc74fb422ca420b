"""Error responses as RFC 9457 `application/problem+json`."""

import logging
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from app.errors import FacetwinError, GalleryUnavailable, MalformedRequest, Overloaded
from model.calibration import TargetUnsupported
from model.errors import PhotoError

log = logging.getLogger("facetwin")

STATUS: Final = {
    "malformed_request": 400,
    "empty_image": 400,
    "corrupt_image": 400,
    "unauthorized": 401,
    "not_found": 404,
    "unknown_gallery": 404,
    "unknown_identity": 404,
    "unknown_template": 404,
    "method_not_allowed": 405,
    "identity_exists": 409,
    "encoder_mismatch": 409,
    "image_too_large": 413,
    "unsupported_image": 415,
    "no_face_found": 422,
    "several_faces": 422,
    "idempotency_key_reused": 422,
    "low_quality": 422,
    "target_unsupported": 422,
    "overloaded": 429,
    "internal_error": 500,
    "not_ready": 503,
    "gallery_unavailable": 503,
    "deadline_exceeded": 504,
}


class Problem(BaseModel):
    """RFC 9457, with `code` to switch on and `request_id` to quote to the operator."""

    type: str = Field(examples=["urn:facetwin:problem:no_face_found"])
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["No face was found in any of four orientations. ..."])
    code: str = Field(examples=["no_face_found"])
    request_id: str
    field: str | None = Field(None, description="Name of the photo with the problem, if the request has several.")
    errors: list[dict[str, str]] | None = Field(None, description="For malformed_request: each field and its error.")


def problem_responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Returns the `responses` of a route that can fail with these codes, for OpenAPI."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS[code], []).append(code)
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": ", ".join(f"`{code}`" for code in names), "content": content}
        for status, names in sorted(by_status.items())
    }


def install_problem_handlers(app: FastAPI) -> None:
    """Makes every error of a route a Problem. RequestLogMiddleware handles unexpected exceptions."""

    @app.exception_handler(FacetwinError)
    @app.exception_handler(PhotoError)
    @app.exception_handler(TargetUnsupported)
    async def handle_known_error(
        request: Request, error: FacetwinError | PhotoError | TargetUnsupported
    ) -> JSONResponse:
        extra: dict[str, Any] = {}
        headers = {}
        if isinstance(error, PhotoError) and error.field:
            extra["field"] = error.field
        if isinstance(error, MalformedRequest):
            extra["errors"] = error.errors
        if isinstance(error, Overloaded | GalleryUnavailable):
            headers["Retry-After"] = str(error.retry_after)
        if error.code == "unauthorized":
            headers["WWW-Authenticate"] = "Bearer"
        return _problem_response(request, error.code, str(error), headers, **extra)

    @app.exception_handler(RequestValidationError)
    async def handle_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        malformed = MalformedRequest(field_errors(error.errors()))
        return _problem_response(request, malformed.code, str(malformed), errors=malformed.errors)

    @app.exception_handler(HTTPException)
    async def handle_http_error(request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "not_found", 405: "method_not_allowed"}
        code = codes.get(error.status_code, "malformed_request")
        detail = f"{error.detail}. See /docs for the routes and methods."
        return _problem_response(request, code, detail, dict(error.headers or {}))


def internal_error_response(request_id: str, error: Exception) -> JSONResponse:
    """Logs the type and place of an unexpected error; the response holds only the request id.

    The error's message is neither logged nor sent: it could quote the request.
    """
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    log.error("internal_error", extra={"error": type(error).__name__, "where": where, "request_id": request_id})
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
    request: Request, code: str, detail: str, headers: dict[str, str] | None = None, **extra: Any
) -> JSONResponse:
    request.state.problem = code  # counted by RequestLogMiddleware
    return _respond(request.scope["state"]["request_id"], code, detail, headers, **extra)


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
