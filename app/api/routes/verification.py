"""The route that compares a photo with another one, or with an enrolled person."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.api.bodies import body_parser, openapi_request_body
from app.api.dependencies import Service, authorize
from app.api.problems import FACE_CODES, problem_responses
from app.api.requests.faces import VerifyRequest
from app.api.routes.timings import with_timings
from app.verification.comparison import verify_identity, verify_photos
from app.verification.results import VerificationResult

router = APIRouter(tags=["faces"], dependencies=[Depends(authorize)])


@router.post(
    "/verify",
    summary="Do two photos show the same person? Or a photo and an enrolled person?",
    responses=problem_responses(
        *FACE_CODES,
        "unrecognizable_face",
        "target_unsupported",
        "unknown_gallery",
        "unknown_identity",
        "encoder_mismatch",
        "templates_expired",
    ),
    openapi_extra=openapi_request_body(VerifyRequest),
)
async def verify(
    request: Request, service: Service, body: Annotated[VerifyRequest, Depends(body_parser(VerifyRequest))]
) -> VerificationResult:
    target, selection, liveness = body.target_fmr, body.face_selection, body.liveness
    if body.image2 is not None:
        result = await verify_photos(
            service, body.image1, body.image2, target_fmr=target, selection=selection, liveness=liveness
        )
    else:
        assert body.identity is not None  # VerifyRequest has checked both
        assert body.gallery is not None
        result = await verify_identity(
            service, body.image1, body.identity, body.gallery, target_fmr=target, selection=selection, liveness=liveness
        )
    return with_timings(request, result)
