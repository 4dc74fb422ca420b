"""Photos in, answers out."""

from dataclasses import asdict
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request

from app.api.bodies import body, documented_body
from app.api.dependencies import RoomyService, authorize
from app.api.problems import documented
from app.api.schemas import (
    DetectRequest,
    DetectResponse,
    EmbedRequest,
    EmbedResponse,
    EnrollRequest,
    EnrollResponse,
    IdentifyRequest,
    IdentifyResponse,
    VerifyRequest,
    VerifyResponse,
)
from app.gallery.base import EnrollmentKey
from app.verification import FaceService

router = APIRouter(tags=["faces"], dependencies=[Depends(authorize)])

PHOTO = ("malformed_request", "empty_image", "corrupt_image", "unauthorized", "image_too_large", "unsupported_image")
SERVED = ("overloaded", "internal_error", "not_ready", "deadline_exceeded")
FACE = (*PHOTO, "no_face_found", "several_faces", *SERVED)


def _answer(request: Request, service: FaceService, result: Any) -> dict[str, Any]:
    request.state.timings_ms = result.timings_ms  # for the metrics and Server-Timing
    metadata = service.metadata
    model = {"name": metadata.name, "version": metadata.version, "encoder_id": metadata.encoder_id}
    answer = {**asdict(result), "model": model}
    answer["timings_ms"] = {stage: round(ms, 2) for stage, ms in result.timings_ms.items()}
    return answer


KEY = (
    "Yours, new for every enrolment: sending the same request again, because no answer came, then enrolls nobody twice "
    "and answers with the template of the first time. Known as long as that template is."
)


def digest_of(sent: EnrollRequest) -> str:
    """What tells one enrolment from another, without telling what is in it."""
    fields = sent.model_dump_json(exclude={"image"})
    return sha256(fields.encode() + sha256(sent.image).digest()).hexdigest()


@router.post(
    "/verify",
    summary="Do two photos show the same person?",
    response_model=VerifyResponse,
    responses=documented(*FACE, "target_unsupported"),
    openapi_extra=documented_body(VerifyRequest),
)
async def verify(
    request: Request, service: RoomyService, sent: Annotated[VerifyRequest, Depends(body(VerifyRequest))]
) -> dict[str, Any]:
    result = await service.verify(sent.image1, sent.image2, target_fmr=sent.target_fmr, selection=sent.face_selection)
    return _answer(request, service, result)


@router.post(
    "/enroll",
    status_code=201,
    summary="Remember a person from one photo",
    response_model=EnrollResponse,
    responses=documented(
        *FACE, "identity_exists", "encoder_mismatch", "low_quality", "idempotency_key_reused", "gallery_unavailable"
    ),
    openapi_extra=documented_body(EnrollRequest),
)
async def enroll(
    request: Request,
    service: RoomyService,
    sent: Annotated[EnrollRequest, Depends(body(EnrollRequest))],
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255, description=KEY)] = None,
) -> dict[str, Any]:
    result = await service.enroll(
        sent.identity,
        sent.image,
        gallery=sent.gallery,
        metadata=sent.metadata,
        if_exists=sent.if_exists,
        selection=sent.face_selection,
        min_quality=sent.min_quality,
        key=None if idempotency_key is None else EnrollmentKey(idempotency_key, digest_of(sent)),
    )
    return _answer(request, service, result)


@router.post(
    "/identify",
    summary="Whom does a photo show, or nobody we know?",
    response_model=IdentifyResponse,
    responses=documented(*FACE, "unknown_gallery", "encoder_mismatch", "target_unsupported", "gallery_unavailable"),
    openapi_extra=documented_body(IdentifyRequest),
)
async def identify(
    request: Request, service: RoomyService, sent: Annotated[IdentifyRequest, Depends(body(IdentifyRequest))]
) -> dict[str, Any]:
    result = await service.identify(
        sent.image, gallery=sent.gallery, top_k=sent.top_k, target_fpir=sent.target_fpir, selection=sent.face_selection
    )
    return _answer(request, service, result)


@router.post(
    "/embed",
    summary="The embedding of one face",
    response_model=EmbedResponse,
    responses=documented(*FACE),
    openapi_extra=documented_body(EmbedRequest),
)
async def embed(
    request: Request, service: RoomyService, sent: Annotated[EmbedRequest, Depends(body(EmbedRequest))]
) -> dict[str, Any]:
    return _answer(request, service, await service.embed(sent.image, selection=sent.face_selection))


@router.post(
    "/detect",
    summary="Every face of a photo, with its quality",
    response_model=DetectResponse,
    responses=documented(*PHOTO, *SERVED),
    openapi_extra=documented_body(DetectRequest),
)
async def detect(
    request: Request, service: RoomyService, sent: Annotated[DetectRequest, Depends(body(DetectRequest))]
) -> dict[str, Any]:
    return _answer(request, service, await service.detect(sent.image))
