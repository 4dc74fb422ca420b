"""Routes that list, edit and delete identities and galleries."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.api.bodies import body_parser, openapi_request_body
from app.api.dependencies import Service, authorize
from app.api.problems import problem_responses
from app.api.requests import EditRequest, GalleryName, IdentityName, MergeRequest, Text
from app.errors import MalformedRequest
from app.gallery.base import DEFAULT_GALLERY, DeletionReceipt, Erasure, GallerySummary, Identity, IdentityPage
from app.verification.service import FaceService

router = APIRouter(tags=["galleries"], dependencies=[Depends(authorize)])

COMMON_CODES = (
    "malformed_request",
    "unauthorized",
    "request_timeout",
    "request_too_large",
    "foreign_request",
    "overloaded",
    "rate_limited",
    "internal_error",
    "not_ready",
    "gallery_unavailable",
    "deadline_exceeded",
)
InGallery = Annotated[GalleryName, Query(description="Name of the gallery.")]


@dataclass(frozen=True)
class GalleryList:
    galleries: tuple[GallerySummary, ...]


@dataclass(frozen=True)
class DeletionAnswer(DeletionReceipt):
    """The receipt, and what is left in the database's files."""

    erasure: Erasure


@dataclass(frozen=True)
class EditedIdentity(Identity):
    """The identity after a change, and what is left of its old name and metadata in the database's files."""

    erasure: Erasure


@router.get(
    "/identities",
    summary="All identities, page by page",
    responses=problem_responses(*COMMON_CODES, "unknown_gallery"),
)
async def list_identities(
    service: Service,
    gallery: InGallery = DEFAULT_GALLERY,
    after: Annotated[Text | None, Query(description="`next_after` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> IdentityPage:
    return await service.gallery.list_identities(gallery, after, limit)


@router.get(
    "/identities/{identity}",
    summary="One identity and its templates",
    responses=problem_responses(*COMMON_CODES, "unknown_gallery", "unknown_identity"),
)
async def get_identity(service: Service, identity: IdentityName, gallery: InGallery = DEFAULT_GALLERY) -> Identity:
    return await service.gallery.get_identity(gallery, identity)


@router.patch(
    "/identities/{identity}",
    summary="Change an identity's name or metadata",
    responses=problem_responses(*COMMON_CODES, "unknown_gallery", "unknown_identity", "identity_exists"),
    openapi_extra=openapi_request_body(EditRequest),
)
async def edit_identity(
    service: Service,
    identity: IdentityName,
    body: Annotated[EditRequest, Depends(body_parser(EditRequest))],
    gallery: InGallery = DEFAULT_GALLERY,
) -> EditedIdentity:
    return _edited(service, await service.gallery.edit_identity(gallery, identity, body.identity, body.metadata))


@router.post(
    "/identities/{identity}/merge",
    summary="Merge an identity into another one, if both are the same person",
    responses=problem_responses(*COMMON_CODES, "unknown_gallery", "unknown_identity"),
    openapi_extra=openapi_request_body(MergeRequest),
)
async def merge_identity(
    service: Service,
    identity: IdentityName,
    body: Annotated[MergeRequest, Depends(body_parser(MergeRequest))],
    gallery: InGallery = DEFAULT_GALLERY,
) -> EditedIdentity:
    if body.into == identity:
        raise MalformedRequest([{"field": "into", "message": "is the same identity; name another one"}])
    return _edited(service, await service.gallery.merge_identity(gallery, identity, body.into))


@router.delete(
    "/identities/{identity}",
    summary="Delete an identity and its templates, permanently",
    responses=problem_responses(*COMMON_CODES, "unknown_gallery", "unknown_identity"),
)
async def delete_identity(
    service: Service, identity: IdentityName, gallery: InGallery = DEFAULT_GALLERY
) -> DeletionAnswer:
    return _deleted(service, await service.gallery.delete_identity(gallery, identity))


@router.delete(
    "/identities/{identity}/templates/{template_id}",
    summary="Delete one template of an identity; deleting the last one also deletes the identity",
    responses=problem_responses(*COMMON_CODES, "unknown_gallery", "unknown_identity", "unknown_template"),
)
async def delete_template(
    service: Service, identity: IdentityName, template_id: Text, gallery: InGallery = DEFAULT_GALLERY
) -> DeletionAnswer:
    return _deleted(service, await service.gallery.delete_template(gallery, identity, template_id))


@router.get("/galleries", summary="All galleries", responses=problem_responses(*COMMON_CODES))
async def list_galleries(service: Service) -> GalleryList:
    return GalleryList(await service.gallery.list_galleries())


@router.delete(
    "/galleries/{gallery}",
    summary="Delete a gallery with all its identities, permanently",
    responses=problem_responses(*COMMON_CODES, "unknown_gallery"),
)
async def delete_gallery(service: Service, gallery: GalleryName) -> DeletionAnswer:
    return _deleted(service, await service.gallery.delete_gallery(gallery))


def _deleted(service: FaceService, receipt: DeletionReceipt) -> DeletionAnswer:
    return DeletionAnswer(**vars(receipt), erasure=service.gallery.erasure())


def _edited(service: FaceService, identity: Identity) -> EditedIdentity:
    return EditedIdentity(**vars(identity), erasure=service.gallery.erasure())
