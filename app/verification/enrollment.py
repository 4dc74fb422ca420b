"""The use-case that enrolls a person from one photo or several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.errors import LowQuality
from app.gallery.base import IdempotencyKey, IfExists, NewTemplate
from app.verification.enrollment_advice import (
    distinct,
    enrollment_notices,
    erasure_notices,
    outlier_notices_among,
)
from app.verification.identification import DEFAULT_FPIR
from app.verification.liveness import LivenessMode
from app.verification.notices import Notice
from app.verification.photo_encoding import EncodedFaces
from app.verification.recognizability import doubt_notices, require_recognizable
from app.verification.results import EnrolledTemplate, EnrollmentResult
from app.verification.service import FaceService
from model.selection import FaceSelection


@dataclass(frozen=True)
class EnrollmentDetails:
    """What an enrollment says besides name and photos. The fields are those of NewTemplate and of the request."""

    gallery: str
    metadata: Mapping[str, Any] | None
    if_exists: IfExists
    selection: FaceSelection
    min_quality: float
    expires_at: datetime | None = None
    consent_ref: str | None = None
    key: IdempotencyKey | None = None
    liveness: LivenessMode = LivenessMode.OFF


async def enroll_photos(
    service: FaceService, identity: str, photos: Mapping[str, bytes], details: EnrollmentDetails
) -> EnrollmentResult:
    """Stores one template of each photo, all or none. `photos` is by the names that errors use.

    A second call with the same key changes nothing and returns the first call's ids. Raises LowQuality, IdentityExists,
    EncoderMismatch, IdempotencyKeyReused.
    """
    encoded = await service.encode(photos, details.selection, details.liveness)
    _check_faces(service, encoded, details.min_quality)
    new = [_new_template(service, identity, encoded, index, details) for index in range(len(photos))]
    store = service.gallery
    notices: list[Notice] = []
    for each, face in zip(new, encoded.faces, strict=True):
        notices += await enrollment_notices(each, face.quality, store, service.calibration, DEFAULT_FPIR)
    notices += outlier_notices_among(encoded.embeddings, service.calibration.at_fmr().threshold)
    templates = await store.enroll_all(new, details.if_exists)
    if details.if_exists is IfExists.REPLACE or details.metadata is not None:
        notices += erasure_notices(store.erasure())
    doubts = doubt_notices(service.calibration.recognizability, encoded.recognizability)
    described = [encoded.describe(index) for index in range(len(photos))]
    # A request that was sent before may have lost some of its templates since.
    enrolled = [EnrolledTemplate(each.template_id, face) for each, face in zip(templates, described, strict=False)]
    return EnrollmentResult(
        template_id=templates[0].template_id,
        identity=identity,
        gallery=details.gallery,
        face=described[0],
        warnings=(*encoded.notices, *doubts, *distinct(notices)),
        model=service.model,
        timings_ms=encoded.timings_ms,
        templates=tuple(enrolled),
    )


def _check_faces(service: FaceService, encoded: EncodedFaces, min_quality: float) -> None:
    judged: Sequence[float | None] = encoded.recognizability
    for field, face, recognizability in zip(encoded.fields, encoded.faces, judged, strict=True):
        require_recognizable(service.calibration.recognizability, recognizability, field)
        if face.quality.score < min_quality:
            reasons = "; ".join(face.quality.reasons) or "no single aspect is bad"
            which = "The photo" if len(encoded.fields) == 1 else f"The photo {field}"
            raise LowQuality(
                f"{which} has quality {face.quality.score:.2f}, below the required {min_quality:g}: {reasons}."
            )


def _new_template(
    service: FaceService, identity: str, encoded: EncodedFaces, index: int, details: EnrollmentDetails
) -> NewTemplate:
    return NewTemplate(
        details.gallery,
        identity,
        encoded.embeddings[index],
        service.model.encoder_id,
        service.reader.detector.name,
        encoded.faces[index].quality.score,
        details.metadata,
        details.key,
        details.expires_at,
        details.consent_ref,
    )
