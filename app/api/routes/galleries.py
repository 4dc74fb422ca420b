"""Routes that list and delete galleries."""

from dataclasses import dataclass

from fastapi import APIRouter, Depends

from app.api.dependencies import Service, authorize
from app.api.problems import GALLERY_CODES, problem_responses
from app.api.requests.fields import GalleryName
from app.api.routes.erasure import DeletionAnswer, deleted
from app.gallery.base import GallerySummary

router = APIRouter(tags=["galleries"], dependencies=[Depends(authorize)])


@dataclass(frozen=True)
class GalleryList:
    galleries: tuple[GallerySummary, ...]


@router.get("/galleries", summary="All galleries", responses=problem_responses(*GALLERY_CODES))
async def list_galleries(service: Service) -> GalleryList:
    return GalleryList(await service.gallery.list_galleries())


@router.delete(
    "/galleries/{gallery}",
    summary="Delete a gallery with all its identities, permanently",
    responses=problem_responses(*GALLERY_CODES, "unknown_gallery"),
)
async def delete_gallery(service: Service, gallery: GalleryName) -> DeletionAnswer:
    return deleted(service, await service.gallery.delete_gallery(gallery))
