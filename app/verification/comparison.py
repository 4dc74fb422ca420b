"""The use-cases that answer yes or no: two photos, or a photo and an enrolled person."""

import math

import numpy as np

from app.errors import TemplatesExpired
from app.gallery.base import IdentityComparison
from app.verification.decision import error_rates
from app.verification.enrollment_advice import detector_notices
from app.verification.liveness import LivenessMode
from app.verification.notices import Notice, NoticeCode
from app.verification.photo_encoding import EncodedFaces
from app.verification.recognizability import doubt_notices, raise_threshold, require_recognizable
from app.verification.results import VerificationResult
from app.verification.service import FaceService
from model.calibration import Calibration, SearchThreshold, euclidean_distance, expected_fpir
from model.selection import FaceSelection

REJECTED = Notice(
    NoticeCode.REJECTED, "The face is at least as similar to a rejected one as to the person's best template."
)


async def verify_photos(
    service: FaceService,
    image1: bytes,
    image2: bytes,
    *,
    target_fmr: float | None,
    selection: FaceSelection,
    liveness: LivenessMode = LivenessMode.OFF,
) -> VerificationResult:
    """Compares two photos. Raises TargetUnsupported."""
    point = service.calibration.at_fmr(target_fmr)
    encoded = await service.encode({"image1": image1, "image2": image2}, selection, liveness)
    _require_recognizable(service.calibration, encoded)
    rule, recognizability = service.calibration.recognizability, encoded.recognizability
    threshold = raise_threshold(point.threshold, rule, recognizability)
    first, second = encoded.embeddings
    similarity = float(np.clip(first @ second, -1.0, 1.0))
    return VerificationResult(
        verified=similarity >= threshold,
        similarity=similarity,
        distance=euclidean_distance(similarity),
        threshold=threshold,
        probability=service.calibration.probability(similarity),
        operating_point=error_rates(point),
        faces=(encoded.describe(0), encoded.describe(1)),
        warnings=(*encoded.notices, *doubt_notices(rule, recognizability)),
        model=service.model,
        timings_ms=encoded.timings_ms,
        expected_fmr=point.fmr,
    )


async def verify_identity(
    service: FaceService,
    image: bytes,
    identity: str,
    gallery: str,
    *,
    target_fmr: float | None,
    selection: FaceSelection,
    liveness: LivenessMode = LivenessMode.OFF,
) -> VerificationResult:
    """Compares a photo with the templates of an enrolled person, of which the most similar one counts.

    The threshold rises with their number, as that of a search does: a stranger has so many chances. Raises
    UnknownGallery, UnknownIdentity, EncoderMismatch, TemplatesExpired, TargetUnsupported.
    """
    encoded = await service.encode({"image1": image}, selection, liveness)
    _require_recognizable(service.calibration, encoded)
    start = service.clock()
    store = service.gallery
    found = await store.compare(gallery, identity, encoded.embeddings[0], service.model.encoder_id)
    search_ms = (service.clock() - start) * 1000
    if found.best is None:
        raise TemplatesExpired(identity)
    chosen = choose_threshold(service.calibration, target_fmr, found.templates)
    rule, recognizability = service.calibration.recognizability, encoded.recognizability
    threshold = raise_threshold(chosen.point.threshold, rule, recognizability)
    similarity, rejected = found.best.similarity, found.best.is_rejected
    return VerificationResult(
        verified=similarity >= threshold and not rejected,
        similarity=similarity,
        distance=euclidean_distance(similarity),
        threshold=threshold,
        probability=_probability(service.calibration, similarity, found.templates),
        operating_point=error_rates(chosen.point),
        faces=(encoded.describe(0),),
        warnings=(*encoded.notices, *doubt_notices(rule, recognizability), *_notices(service, found, chosen)),
        model=service.model,
        timings_ms={**encoded.timings_ms, "search": search_ms},
        identity=identity,
        gallery=gallery,
        template_id=found.best.template_id,
        templates=found.templates,
        expected_fmr=chosen.expected_fpir,
        target_met=chosen.target_met,
        rejected=rejected,
    )


def choose_threshold(calibration: Calibration, target_fmr: float | None, templates: int) -> SearchThreshold:
    """The operating point at which the best of so many templates keeps the false match rate. Raises TargetUnsupported.

    Without an explicit target, the strictest point is used if none keeps the default.
    """
    if templates == 1:
        point = calibration.at_fmr(target_fmr)
        return SearchThreshold(point, expected_fpir(point.fmr, 1), target_met=True)
    target = calibration.default_fmr if target_fmr is None else target_fmr
    return calibration.at_fpir(templates, target, explicit=target_fmr is not None)


def _probability(calibration: Calibration, similarity: float, templates: int) -> float:
    """The probability of the best of so many templates: a stranger is as similar to any of them as often as to one."""
    return 1.0 / (1.0 + templates * math.exp(-calibration.log_odds(similarity)))


def _notices(service: FaceService, found: IdentityComparison, chosen: SearchThreshold) -> tuple[Notice, ...]:
    notices = detector_notices(found.detectors, service.reader.detector.name)
    if found.best is not None and found.best.is_rejected:
        notices = (REJECTED, *notices)
    if not chosen.target_met:
        message = (
            f"With {found.templates} templates, the false match rate is {chosen.expected_fpir:.2g} at the strictest "
            "threshold, more than the default target. Delete templates that are not needed."
        )
        notices = (Notice(NoticeCode.TARGET_NOT_MET, message), *notices)
    return notices


def _require_recognizable(calibration: Calibration, encoded: EncodedFaces) -> None:
    for field, value in zip(encoded.fields, encoded.recognizability, strict=True):
        require_recognizable(calibration.recognizability, value, field)
