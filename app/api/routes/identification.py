"""The route that searches a gallery."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.api.bodies import body_parser, openapi_request_body
from app.api.dependencies import Service, authorize
from app.api.problems import FACE_CODES, problem_responses
from app.api.requests.faces import IdentifyRequest
from app.api.routes.timings import with_timings
from app.verification.identification import SearchOptions, identify_embedding, identify_photo
from app.verification.results import IdentificationResult

router = APIRouter(tags=["faces"], dependencies=[Depends(authorize)])


@router.post(
    "/identify",
    summary="Which enrolled person does a photo show, if any? Or everybody on it?",
    responses=problem_responses(*FACE_CODES, "unknown_gallery", "encoder_mismatch", "target_unsupported"),
    openapi_extra=openapi_request_body(IdentifyRequest),
)
async def identify(
    request: Request,
    service: Service,
    body: Annotated[IdentifyRequest, Depends(body_parser(IdentifyRequest))],
) -> IdentificationResult:
    options = SearchOptions(body.gallery, body.top_k, body.target_fpir)
    if body.image is not None:
        result = await identify_photo(service, body.image, options, body.face_selection, body.faces, body.liveness)
    else:
        assert body.embedding is not None  # IdentifyRequest has checked both
        assert body.encoder_id is not None
        result = await identify_embedding(service, body.embedding, body.encoder_id, options)
    return with_timings(request, result)
