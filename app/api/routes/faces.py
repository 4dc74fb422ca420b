"""Routes that look at one photo and store or search nothing."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.api.bodies import body_parser, openapi_request_body
from app.api.dependencies import Service, authorize
from app.api.problems import FACE_CODES, LIVENESS_CODES, PHOTO_CODES, problem_responses
from app.api.requests.faces import DetectRequest, EmbedRequest
from app.api.routes.timings import with_timings
from app.verification.results import DetectionResult, EmbeddingResult

router = APIRouter(tags=["faces"], dependencies=[Depends(authorize)])


@router.post(
    "/embed",
    summary="The embedding of one face",
    responses=problem_responses(*FACE_CODES),
    openapi_extra=openapi_request_body(EmbedRequest),
)
async def embed(
    request: Request, service: Service, body: Annotated[EmbedRequest, Depends(body_parser(EmbedRequest))]
) -> EmbeddingResult:
    return with_timings(request, await service.embed(body.image, selection=body.face_selection))


@router.post(
    "/detect",
    summary="Every face in a photo, with its quality",
    responses=problem_responses(*PHOTO_CODES, *LIVENESS_CODES),
    openapi_extra=openapi_request_body(DetectRequest),
)
async def detect(
    request: Request, service: Service, body: Annotated[DetectRequest, Depends(body_parser(DetectRequest))]
) -> DetectionResult:
    return with_timings(request, await service.detect(body.image, liveness=body.liveness))
