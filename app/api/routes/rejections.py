"""Routes for negative templates: photos that looked like an identity and show somebody else."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.api.bodies import body_parser, openapi_request_body
from app.api.dependencies import Service, authorize
from app.api.problems import FACE_CODES, GALLERY_CODES, problem_responses
from app.api.requests.fields import IdentityName, InGallery, Text
from app.api.requests.identities import RejectRequest
from app.api.routes.timings import with_timings
from app.gallery.base import DEFAULT_GALLERY, Erasure
from app.gallery.rejection import Rejection
from app.verification.rejecting import reject_embedding, reject_photo
from app.verification.results import RejectionResult

router = APIRouter(tags=["identities"], dependencies=[Depends(authorize)])


@dataclass(frozen=True)
class RejectionList:
    """Oldest first; at most 100."""

    rejections: tuple[Rejection, ...]


@dataclass(frozen=True)
class ForgottenRejection:
    rejection_id: str
    erasure: Erasure


@router.post(
    "/reject",
    status_code=201,
    summary="This is not the person: remember it, so that the match is not repeated",
    responses=problem_responses(
        *FACE_CODES,
        "unrecognizable_face",
        "unknown_gallery",
        "unknown_identity",
        "encoder_mismatch",
        "too_many_rejections",
    ),
    openapi_extra=openapi_request_body(RejectRequest),
)
async def reject(
    request: Request,
    service: Service,
    body: Annotated[RejectRequest, Depends(body_parser(RejectRequest))],
) -> RejectionResult:
    if body.image is not None:
        result = await reject_photo(service, body.gallery, body.identity, body.image, body.face_selection)
    else:
        assert body.embedding is not None  # RejectRequest has checked both
        assert body.encoder_id is not None
        result = await reject_embedding(service, body.gallery, body.identity, body.embedding, body.encoder_id)
    return with_timings(request, result)


@router.get(
    "/identities/{identity}/rejections",
    summary="The remembered rejections of an identity",
    responses=problem_responses(*GALLERY_CODES, "unknown_gallery", "unknown_identity"),
)
async def list_rejections(
    service: Service, identity: IdentityName, gallery: InGallery = DEFAULT_GALLERY
) -> RejectionList:
    return RejectionList(await service.gallery.list_rejections(gallery, identity))


@router.delete(
    "/identities/{identity}/rejections/{rejection_id}",
    summary="Forget a rejection, permanently",
    responses=problem_responses(*GALLERY_CODES, "unknown_gallery", "unknown_identity", "unknown_rejection"),
)
async def delete_rejection(
    service: Service, identity: IdentityName, rejection_id: Text, gallery: InGallery = DEFAULT_GALLERY
) -> ForgottenRejection:
    await service.gallery.delete_rejection(gallery, identity, rejection_id)
    return ForgottenRejection(rejection_id, service.gallery.erasure())
