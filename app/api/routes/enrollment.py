"""The route that enrolls."""

from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request

from app.api.bodies import body_parser, openapi_request_body
from app.api.dependencies import Service, authorize
from app.api.problems import FACE_CODES, problem_responses
from app.api.requests.faces import EnrollRequest
from app.api.routes.timings import with_timings
from app.gallery.base import IdempotencyKey
from app.verification.enrollment import EnrollmentDetails, enroll_photos
from app.verification.liveness import LivenessMode
from app.verification.results import EnrollmentResult

router = APIRouter(tags=["faces"], dependencies=[Depends(authorize)])

IDEMPOTENCY_KEY = (
    "A key of your choice, new for every enrollment. If no response arrived, send the same request again with the same "
    "key: nobody is enrolled twice, and the response names the first request's template. The key is stored as long as "
    "that template."
)


@router.post(
    "/enroll",
    status_code=201,
    summary="Enroll a person from one photo, or from several at once",
    responses=problem_responses(
        *FACE_CODES,
        "identity_exists",
        "encoder_mismatch",
        "low_quality",
        "unrecognizable_face",
        "idempotency_key_reused",
    ),
    openapi_extra=openapi_request_body(EnrollRequest),
)
async def enroll(
    request: Request,
    service: Service,
    body: Annotated[EnrollRequest, Depends(body_parser(EnrollRequest))],
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, pattern=r"^[\x20-\x7e]+$", description=IDEMPOTENCY_KEY)
    ] = None,
) -> EnrollmentResult:
    details = EnrollmentDetails(
        gallery=body.gallery,
        metadata=body.metadata,
        if_exists=body.if_exists,
        selection=body.face_selection,
        min_quality=body.min_quality,
        expires_at=body.expires_at,
        consent_ref=body.consent_ref,
        liveness=body.liveness,
        key=None if idempotency_key is None else IdempotencyKey(idempotency_key, _request_digest(body)),
    )
    return with_timings(request, await enroll_photos(service, body.identity, body.photos(), details))


def _request_digest(body: EnrollRequest) -> str:
    """SHA-256 of an enrollment, to recognize it when it is sent again; it reveals nothing of the content."""
    # Fields added later are left out while unused: the digests of earlier versions stay valid.
    unused = {name for name in ("expires_at", "consent_ref") if getattr(body, name) is None}
    if body.liveness is LivenessMode.OFF:
        unused.add("liveness")
    fields = body.model_dump_json(exclude={"image", "images", *unused})
    photos = (sha256(photo).digest() for photo in body.photos().values())
    return sha256(fields.encode() + b"".join(photos)).hexdigest()
