"""Errors as RFC 9457 `application/problem+json`, one place for every status."""

import logging
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from app.errors import FacetwinError, MalformedRequest, Overloaded
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
    detail: str = Field(examples=["No face was found, in any of four orientations. ..."])
    code: str = Field(examples=["no_face_found"])
    request_id: str
    field: str | None = Field(None, description="The photo that it is about, where a request brings several.")
    errors: list[dict[str, str]] | None = Field(None, description="Field by field, for malformed_request.")


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can answer with these codes."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS[code], []).append(code)
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": ", ".join(f"`{code}`" for code in names), "content": content}
        for status, names in sorted(by_status.items())
    }


def install_problems(app: FastAPI) -> None:
    """Every way in which a request can fail answers with a Problem."""

    @app.exception_handler(FacetwinError)
    @app.exception_handler(PhotoError)
    @app.exception_handler(TargetUnsupported)
    async def known(request: Request, error: FacetwinError | PhotoError | TargetUnsupported) -> JSONResponse:
        extra: dict[str, Any] = {}
        headers = {}
        if isinstance(error, PhotoError) and error.field:
            extra["field"] = error.field
        if isinstance(error, MalformedRequest):
            extra["errors"] = error.errors
        if isinstance(error, Overloaded):
            headers["Retry-After"] = str(error.retry_after)
        if error.code == "unauthorized":
            headers["WWW-Authenticate"] = "Bearer"
        return problem(request, error.code, str(error), headers, **extra)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        malformed = MalformedRequest(field_errors(error.errors()))
        return problem(request, malformed.code, str(malformed), errors=malformed.errors)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "not_found", 405: "method_not_allowed"}
        code = codes.get(error.status_code, "malformed_request")
        return problem(request, code, f"{error.detail}. See /docs for what there is.", dict(error.headers or {}))


def internal_error(request_id: str, error: Exception) -> JSONResponse:
    """Logs where an error of ours arose, and answers with nothing but the request id: its message could quote what was
    sent."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    log.error("internal_error", extra={"error": type(error).__name__, "where": where, "request_id": request_id})
    return _respond(request_id, "internal_error", "Something went wrong. Quote the request id to the operator.")


def problem(
    request: Request, code: str, detail: str, headers: dict[str, str] | None = None, **extra: Any
) -> JSONResponse:
    """The response for one code."""
    request.state.problem = code  # for the metrics
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


def field_errors(errors: Any) -> list[dict[str, str]]:
    """pydantic's errors as field and message, without the values."""
    return [
        {
            "field": ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path")) or "body",
            "message": str(error["msg"]),
        }
        for error in errors
    ]
