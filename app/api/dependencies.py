"""What routes ask for: the service, if it is ready and the caller may.

All of it is `async` though nothing waits: FastAPI would run plain functions on threads of their own.
"""

import hmac
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.errors import NotReady, Unauthorized
from app.verification import FaceService

bearer = HTTPBearer(auto_error=False, description="One of FACETWIN_API_KEYS; not needed where none is set.")


async def authorize(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]) -> None:
    """Raises Unauthorized unless the caller sent one of the keys, or none is set."""
    keys = [key.get_secret_value().encode() for key in request.app.state.settings.api_keys]
    if not keys:
        return
    sent = given.credentials.encode() if given else b""
    # Every key is compared in full, so that the time taken tells nothing.
    matches = [hmac.compare_digest(sent, key) for key in keys]
    if not any(matches):
        raise Unauthorized("Send one of the service's keys as `Authorization: Bearer KEY`.")


async def ready_service(request: Request) -> FaceService:
    """Raises NotReady with the reasons."""
    reasons = request.app.state.not_ready
    if reasons:
        raise NotReady("; ".join(reasons))
    service: FaceService = request.app.state.service
    return service


async def roomy_service(service: Annotated[FaceService, Depends(ready_service)]) -> FaceService:
    """Raises Overloaded where there is no room: asked before the body is read, so that a refusal costs nothing."""
    service.check_room()
    return service


Service = Annotated[FaceService, Depends(ready_service)]
RoomyService = Annotated[FaceService, Depends(roomy_service)]
