"""FastAPI dependencies: the key in OpenAPI, and the service once it is ready.

All are `async` although they never wait: FastAPI would run plain functions in a thread pool.
"""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.errors import NotReady, Unauthorized
from app.verification.service import FaceService

bearer = HTTPBearer(auto_error=False, description="One of FACETWIN_API_KEYS; not needed if none is set.")


async def authorize(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]) -> None:
    """Documents the key of a route. AccessMiddleware has checked it; a request that it did not see is refused."""
    if "caller" not in request.scope["state"]:
        raise Unauthorized("Send one of the service's keys as `Authorization: Bearer KEY`.")


async def ready_service(request: Request) -> FaceService:
    """Returns the service. Raises NotReady with the reasons."""
    reasons = request.app.state.not_ready
    if reasons:
        raise NotReady("; ".join(reasons))
    service: FaceService = request.app.state.service
    return service


Service = Annotated[FaceService, Depends(ready_service)]
