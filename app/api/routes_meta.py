"""The service about itself."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from app.api.dependencies import Service, authorize
from app.api.problems import documented
from app.api.schemas import Health
from app.metrics import CONTENT_TYPE

router = APIRouter(tags=["service"])


@router.get("/healthz", summary="Is the process alive?", response_model=Health)
async def healthz() -> Health:
    return Health(status="ok")


@router.get(
    "/readyz",
    summary="Can it answer?",
    response_model=Health,
    responses={503: {"model": Health, "description": "Not ready, with the reasons."}},
)
async def readyz(request: Request, response: Response) -> Health:
    reasons = list(request.app.state.not_ready)
    if reasons:
        response.status_code = 503
        return Health(status="not ready", reasons=reasons)
    return Health(status="ready")


@router.get(
    "/model",
    summary="The model card as JSON: data, operating points, measured errors",
    dependencies=[Depends(authorize)],
    responses=documented("unauthorized", "not_ready"),
)
async def model(service: Service) -> dict[str, Any]:
    return service.card()


@router.get(
    "/metrics",
    summary="For Prometheus: of all processes of the service",
    dependencies=[Depends(authorize)],
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE: {}}}, **documented("unauthorized")},
)
async def metrics(request: Request) -> Response:
    page: bytes = request.app.state.metrics.page()
    return Response(page, media_type=CONTENT_TYPE)
