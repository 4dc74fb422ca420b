"""FastAPI dependencies: authorization, and the service once it is ready and has capacity.

All are `async` although they never wait: FastAPI would run plain functions in a thread pool.
"""

import hmac
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.errors import NotReady, Unauthorized
from app.verification.service import FaceService

bearer = HTTPBearer(auto_error=False, description="One of FACETWIN_API_KEYS; not needed if none is set.")


async def authorize(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]) -> None:
    """Raises Unauthorized unless the request carries one of the keys or no key is set."""
    keys = [key.get_secret_value().encode() for key in request.app.state.settings.api_keys]
    if not keys:
        return
    sent = given.credentials.encode() if given else b""
    # Compares with every key, so that the time does not depend on which one matches.
    matches = [hmac.compare_digest(sent, key) for key in keys]
    if not any(matches):
        raise Unauthorized("Send one of the service's keys as `Authorization: Bearer KEY`.")


async def ready_service(request: Request) -> FaceService:
    """Returns the service. Raises NotReady with the reasons."""
    reasons = request.app.state.not_ready
    if reasons:
        raise NotReady("; ".join(reasons))
    service: FaceService = request.app.state.service
    return service


async def available_service(service: Annotated[FaceService, Depends(ready_service)]) -> FaceService:
    """Returns the service. Raises Overloaded if it has no capacity, before the request's body is read."""
    service.check_capacity()
    return service


Service = Annotated[FaceService, Depends(ready_service)]
AvailableService = Annotated[FaceService, Depends(available_service)]
