"""Routes about the service itself: health, readiness, the model card, metrics."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from app.api.dependencies import Service, authorize
from app.api.problems import problem_responses
from app.metrics import CONTENT_TYPE

ALWAYS = ("malformed_request", "foreign_request", "request_too_large")

router = APIRouter(tags=["service"])
metrics_router = APIRouter(tags=["service"])


@dataclass(frozen=True)
class Health:
    status: Annotated[str, Field(examples=["ok"])]
    reasons: Annotated[tuple[str, ...], Field(description="Why the service is not ready.")] = ()


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Is the process alive?", responses=problem_responses(*ALWAYS))
async def healthz() -> Health:
    return Health("ok")


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    summary="Is the service ready for requests?",
    responses={
        503: {"model": Health, "description": "Not ready, with the reasons."},
        **problem_responses(*ALWAYS, "internal_error"),
    },
)
async def readyz(request: Request, response: Response) -> Health:
    reasons = tuple(request.app.state.not_ready)
    if not reasons:
        problem = await request.app.state.service.gallery.problem()
        reasons = (problem,) if problem else ()
    if reasons:
        response.status_code = 503
        return Health("not ready", reasons)
    return Health("ready")


@router.get(
    "/model",
    summary="The model card as JSON: data, operating points, measured errors",
    dependencies=[Depends(authorize)],
    responses=problem_responses(
        *ALWAYS, "unauthorized", "overloaded", "rate_limited", "internal_error", "not_ready", "gallery_unavailable"
    ),
)
async def model(service: Service) -> dict[str, Any]:
    return service.model_card()


@metrics_router.get(
    "/metrics",
    summary="Metrics for Prometheus, of all processes of the service",
    dependencies=[Depends(authorize)],
    response_class=Response,
    responses={
        200: {"content": {CONTENT_TYPE: {}}},
        **problem_responses(*ALWAYS, "unauthorized", "forbidden", "internal_error", "gallery_unavailable"),
    },
)
async def metrics(request: Request) -> Response:
    page: bytes = request.app.state.metrics.render()
    return Response(page, media_type=CONTENT_TYPE)
