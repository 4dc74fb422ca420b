"""The routes of the API, and how many photos each may take."""

from typing import Final

from fastapi import APIRouter

from app.api.routes import enrollment, faces, galleries, identification, identities, meta, rejections, verification

ROUTERS: Final[tuple[APIRouter, ...]] = tuple(
    each.router for each in (verification, enrollment, identification, faces, identities, rejections, galleries, meta)
)
# By path; all other routes take none. Several photos of one enrollment may have as many bytes as two.
PHOTOS: Final = {
    "/verify": 2,
    "/enroll": 2,
    "/identify": 1,
    "/embed": 1,
    "/detect": 1,
    "/reject": 1,
}
