"""Routes that take photos."""

from hashlib import sha256
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Depends, Header, Request

from app.api.bodies import body_parser, openapi_request_body
from app.api.dependencies import Service, authorize
from app.api.problems import problem_responses
from app.api.requests import DetectRequest, EmbedRequest, EnrollRequest, IdentifyRequest, VerifyRequest
from app.gallery.base import IdempotencyKey
from app.verification.results import (
    DetectionResult,
    EmbeddingResult,
    EnrollmentResult,
    IdentificationResult,
    VerificationResult,
)

Result = TypeVar("Result", VerificationResult, EnrollmentResult, IdentificationResult, EmbeddingResult, DetectionResult)

router = APIRouter(tags=["faces"], dependencies=[Depends(authorize)])

PHOTO_CODES = (
    "malformed_request",
    "empty_image",
    "corrupt_image",
    "unauthorized",
    "request_timeout",
    "image_too_large",
    "unsupported_image",
    "photo_too_expensive",
)
SERVICE_CODES = ("foreign_request", "overloaded", "rate_limited", "internal_error", "not_ready", "deadline_exceeded")
PHOTOS: Final = {"/verify": 2, "/enroll": 1, "/identify": 1, "/embed": 1, "/detect": 1}  # how many a route takes
FACE_CODES = (*PHOTO_CODES, "no_face_found", "several_faces", *SERVICE_CODES)

IDEMPOTENCY_KEY = (
    "A key of your choice, new for every enrollment. If no response arrived, send the same request again with the same "
    "key: nobody is enrolled twice, and the response names the first request's template. The key is stored as long as "
    "that template."
)


@router.post(
    "/verify",
    summary="Do two photos show the same person?",
    responses=problem_responses(*FACE_CODES, "unrecognizable_face", "target_unsupported"),
    openapi_extra=openapi_request_body(VerifyRequest),
)
async def verify(
    request: Request, service: Service, body: Annotated[VerifyRequest, Depends(body_parser(VerifyRequest))]
) -> VerificationResult:
    result = await service.verify(body.image1, body.image2, target_fmr=body.target_fmr, selection=body.face_selection)
    return _with_timings(request, result)


@router.post(
    "/enroll",
    status_code=201,
    summary="Enroll a person from one photo",
    responses=problem_responses(
        *FACE_CODES,
        "identity_exists",
        "encoder_mismatch",
        "low_quality",
        "unrecognizable_face",
        "idempotency_key_reused",
        "gallery_unavailable",
    ),
    openapi_extra=openapi_request_body(EnrollRequest),
)
async def enroll(
    request: Request,
    service: Service,
    body: Annotated[EnrollRequest, Depends(body_parser(EnrollRequest))],
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, pattern=r"^[\x20-\x7e]+$", description=IDEMPOTENCY_KEY)
    ] = None,
) -> EnrollmentResult:
    result = await service.enroll(
        body.identity,
        body.image,
        gallery=body.gallery,
        metadata=body.metadata,
        if_exists=body.if_exists,
        selection=body.face_selection,
        min_quality=body.min_quality,
        expires_at=body.expires_at,
        consent_ref=body.consent_ref,
        key=None if idempotency_key is None else IdempotencyKey(idempotency_key, _request_digest(body)),
    )
    return _with_timings(request, result)


@router.post(
    "/identify",
    summary="Which enrolled person does a photo show, if any?",
    responses=problem_responses(
        *FACE_CODES, "unknown_gallery", "encoder_mismatch", "target_unsupported", "gallery_unavailable"
    ),
    openapi_extra=openapi_request_body(IdentifyRequest),
)
async def identify(
    request: Request,
    service: Service,
    body: Annotated[IdentifyRequest, Depends(body_parser(IdentifyRequest))],
) -> IdentificationResult:
    result = await service.identify(
        body.image, gallery=body.gallery, top_k=body.top_k, target_fpir=body.target_fpir, selection=body.face_selection
    )
    return _with_timings(request, result)


@router.post(
    "/embed",
    summary="The embedding of one face",
    responses=problem_responses(*FACE_CODES),
    openapi_extra=openapi_request_body(EmbedRequest),
)
async def embed(
    request: Request, service: Service, body: Annotated[EmbedRequest, Depends(body_parser(EmbedRequest))]
) -> EmbeddingResult:
    return _with_timings(request, await service.embed(body.image, selection=body.face_selection))


@router.post(
    "/detect",
    summary="Every face in a photo, with its quality",
    responses=problem_responses(*PHOTO_CODES, *SERVICE_CODES),
    openapi_extra=openapi_request_body(DetectRequest),
)
async def detect(
    request: Request, service: Service, body: Annotated[DetectRequest, Depends(body_parser(DetectRequest))]
) -> DetectionResult:
    return _with_timings(request, await service.detect(body.image))


def _with_timings(request: Request, result: Result) -> Result:
    """Hands the timings to RequestLogMiddleware, for the metrics and the Server-Timing header."""
    request.state.timings_ms = result.timings_ms
    return result


def _request_digest(body: EnrollRequest) -> str:
    """SHA-256 of an enrollment, to recognize it when it is sent again; it reveals nothing of the content."""
    # Fields added later are left out while unused: the digests of earlier versions stay valid.
    unused = {name for name in ("expires_at", "consent_ref") if getattr(body, name) is None}
    fields = body.model_dump_json(exclude={"image", *unused})
    return sha256(fields.encode() + sha256(body.image).digest()).hexdigest()
