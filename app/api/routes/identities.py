"""Routes that list, edit and delete identities and their templates."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.api.bodies import body_parser, openapi_request_body
from app.api.dependencies import Service, authorize
from app.api.problems import GALLERY_CODES, problem_responses
from app.api.requests.fields import IdentityName, InGallery, Limit, Prefix, Text
from app.api.requests.identities import EditRequest, MergeRequest
from app.api.routes.erasure import DeletionAnswer, EditedIdentity, deleted, edited
from app.errors import MalformedRequest
from app.gallery.base import DEFAULT_GALLERY, Identity, IdentityPage, TemplatePage

router = APIRouter(tags=["identities"], dependencies=[Depends(authorize)])


@router.get(
    "/identities",
    summary="All identities, page by page",
    responses=problem_responses(*GALLERY_CODES, "unknown_gallery"),
)
async def list_identities(
    service: Service,
    gallery: InGallery = DEFAULT_GALLERY,
    after: Annotated[Text | None, Query(description="`next_after` of the page before.")] = None,
    limit: Limit = 50,
    prefix: Annotated[Prefix, Query(description="Only names that begin with this.")] = "",
) -> IdentityPage:
    return await service.gallery.list_identities(gallery, after, limit, prefix)


@router.get(
    "/identities/{identity}",
    summary="One identity and its templates",
    responses=problem_responses(*GALLERY_CODES, "unknown_gallery", "unknown_identity"),
)
async def get_identity(service: Service, identity: IdentityName, gallery: InGallery = DEFAULT_GALLERY) -> Identity:
    return await service.gallery.get_identity(gallery, identity)


@router.patch(
    "/identities/{identity}",
    summary="Change an identity's name or metadata",
    responses=problem_responses(
        *GALLERY_CODES, "request_timeout", "unknown_gallery", "unknown_identity", "identity_exists"
    ),
    openapi_extra=openapi_request_body(EditRequest),
)
async def edit_identity(
    service: Service,
    identity: IdentityName,
    body: Annotated[EditRequest, Depends(body_parser(EditRequest))],
    gallery: InGallery = DEFAULT_GALLERY,
) -> EditedIdentity:
    return edited(service, await service.gallery.edit_identity(gallery, identity, body.identity, body.metadata))


@router.post(
    "/identities/{identity}/merge",
    summary="Merge an identity into another one, if both are the same person",
    responses=problem_responses(*GALLERY_CODES, "request_timeout", "unknown_gallery", "unknown_identity"),
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
    return edited(service, await service.gallery.merge_identity(gallery, identity, body.into))


@router.delete(
    "/identities/{identity}",
    summary="Delete an identity and its templates, permanently",
    responses=problem_responses(*GALLERY_CODES, "unknown_gallery", "unknown_identity"),
)
async def delete_identity(
    service: Service, identity: IdentityName, gallery: InGallery = DEFAULT_GALLERY
) -> DeletionAnswer:
    return deleted(service, await service.gallery.delete_identity(gallery, identity))


@router.get(
    "/identities/{identity}/templates",
    summary="The templates of an identity, page by page",
    responses=problem_responses(*GALLERY_CODES, "unknown_gallery", "unknown_identity"),
)
async def list_templates(
    service: Service,
    identity: IdentityName,
    gallery: InGallery = DEFAULT_GALLERY,
    after: Annotated[Text | None, Query(description="`next_after` of the page before.")] = None,
    limit: Limit = 50,
) -> TemplatePage:
    return await service.gallery.list_templates(gallery, identity, after, limit)


@router.delete(
    "/identities/{identity}/templates/{template_id}",
    summary="Delete one template of an identity; deleting the last one also deletes the identity",
    responses=problem_responses(*GALLERY_CODES, "unknown_gallery", "unknown_identity", "unknown_template"),
)
async def delete_template(
    service: Service, identity: IdentityName, template_id: Text, gallery: InGallery = DEFAULT_GALLERY
) -> DeletionAnswer:
    return deleted(service, await service.gallery.delete_template(gallery, identity, template_id))
