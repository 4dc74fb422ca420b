"""Who is enrolled, and how to be forgotten."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.api.dependencies import Service, authorize
from app.api.problems import documented
from app.api.schemas import (
    EditRequest,
    GalleriesOut,
    GalleryName,
    IdentitiesOut,
    IdentityName,
    IdentityOut,
    MergeRequest,
    ReceiptOut,
)
from app.errors import MalformedRequest
from app.gallery.base import DEFAULT_GALLERY, GallerySummary, Identity, IdentityPage, Receipt

router = APIRouter(tags=["galleries"], dependencies=[Depends(authorize)])

COMMON = ("malformed_request", "unauthorized", "internal_error", "not_ready", "gallery_unavailable")
InGallery = Annotated[GalleryName, Query(description="Which gallery.")]


@router.get(
    "/identities",
    summary="Everybody enrolled, page by page",
    response_model=IdentitiesOut,
    responses=documented(*COMMON, "unknown_gallery"),
)
async def list_identities(
    service: Service,
    gallery: InGallery = DEFAULT_GALLERY,
    after: Annotated[str | None, Query(description="`next_after` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> IdentityPage:
    return await service.gallery.identities(gallery, after, limit)


@router.get(
    "/identities/{identity}",
    summary="One person and their templates",
    response_model=IdentityOut,
    responses=documented(*COMMON, "unknown_gallery", "unknown_identity"),
)
async def get_identity(service: Service, identity: IdentityName, gallery: InGallery = DEFAULT_GALLERY) -> Identity:
    return await service.gallery.identity(gallery, identity)


@router.patch(
    "/identities/{identity}",
    summary="Give a person another name or other metadata",
    response_model=IdentityOut,
    responses=documented(*COMMON, "unknown_gallery", "unknown_identity", "identity_exists"),
)
async def edit_identity(
    service: Service, identity: IdentityName, sent: EditRequest, gallery: InGallery = DEFAULT_GALLERY
) -> Identity:
    return await service.gallery.edit_identity(gallery, identity, sent.identity, sent.metadata)


@router.post(
    "/identities/{identity}/merge",
    summary="One person under two names: give their templates to another identity",
    response_model=IdentityOut,
    responses=documented(*COMMON, "unknown_gallery", "unknown_identity"),
)
async def merge_identity(
    service: Service, identity: IdentityName, sent: MergeRequest, gallery: InGallery = DEFAULT_GALLERY
) -> Identity:
    if sent.into == identity:
        raise MalformedRequest([{"field": "into", "message": "is the same identity; name another one"}])
    return await service.gallery.merge_identity(gallery, identity, sent.into)


@router.delete(
    "/identities/{identity}",
    summary="Forget a person, for good",
    response_model=ReceiptOut,
    responses=documented(*COMMON, "unknown_gallery", "unknown_identity"),
)
async def forget_identity(service: Service, identity: IdentityName, gallery: InGallery = DEFAULT_GALLERY) -> Receipt:
    return await service.gallery.forget_identity(gallery, identity)


@router.delete(
    "/identities/{identity}/templates/{template_id}",
    summary="Forget one photo of a person; with the last one the person",
    response_model=ReceiptOut,
    responses=documented(*COMMON, "unknown_gallery", "unknown_identity", "unknown_template"),
)
async def forget_template(
    service: Service, identity: IdentityName, template_id: str, gallery: InGallery = DEFAULT_GALLERY
) -> Receipt:
    return await service.gallery.forget_template(gallery, identity, template_id)


@router.get("/galleries", summary="Every gallery", response_model=GalleriesOut, responses=documented(*COMMON))
async def list_galleries(service: Service) -> dict[str, tuple[GallerySummary, ...]]:
    return {"galleries": await service.gallery.galleries()}


@router.delete(
    "/galleries/{gallery}",
    summary="Forget everybody in a gallery, for good",
    response_model=ReceiptOut,
    responses=documented(*COMMON, "unknown_gallery"),
)
async def forget_gallery(service: Service, gallery: GalleryName) -> Receipt:
    return await service.gallery.forget_gallery(gallery)
