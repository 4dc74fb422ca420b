"""FastAPI dependencies: the key in OpenAPI, and the service once it is ready.

All are `async` although they never wait: FastAPI would run plain functions in a thread pool.
"""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.key_ring import SEND
from app.callers import Caller
from app.errors import NotReady, Unauthorized
from app.verification.service import FaceService

bearer = HTTPBearer(auto_error=False, description="A key of the service; not needed if it has none.")


def caller_of(request: Request) -> Caller:
    """Returns who sent a request. AccessMiddleware has found it out; a request that it did not see is refused."""
    if "caller" not in request.scope["state"]:
        raise Unauthorized(SEND)
    caller: Caller = request.scope["state"]["caller"]
    return caller


async def authorize(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]) -> None:
    """Documents the key of a route."""
    caller_of(request)


async def ready_service(request: Request) -> FaceService:
    """Returns the service as the caller may use it. Raises NotReady with the reasons."""
    reasons = request.app.state.not_ready
    if reasons:
        raise NotReady("; ".join(reasons))
    service: FaceService = request.app.state.service
    return service.for_caller(caller_of(request))


Service = Annotated[FaceService, Depends(ready_service)]
