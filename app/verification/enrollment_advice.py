"""Warnings about templates: poor photos, look-alikes, outliers, another detector. They never stop a request."""

from collections.abc import Sequence

from app.errors import EncoderMismatch, UnknownGallery
from app.gallery.base import Candidate, Erasure, Gallery, NewTemplate
from app.verification.results import Notice
from model.calibration import Calibration
from model.quality import LOW_QUALITY, Quality


async def enrollment_notices(
    new: NewTemplate, quality: Quality, gallery: Gallery, calibration: Calibration, fpir: float
) -> tuple[Notice, ...]:
    """Compares a template with the gallery before it is enrolled. `fpir` chooses the threshold for look-alikes."""
    notices = quality_notices(quality)
    try:
        others = await gallery.search(new.gallery, new.vector, new.encoder_id, top_k=2)
        own = await gallery.search(new.gallery, new.vector, new.encoder_id, top_k=1, only=new.identity)
    except (UnknownGallery, EncoderMismatch):
        return notices  # no template to compare with; Gallery.enroll decides whether to refuse
    threshold = calibration.at_fpir(others.size, fpir, explicit=False).point.threshold
    return (
        *notices,
        *collision_notices(new.identity, others.candidates, threshold),
        *outlier_notices(new.identity, own.candidates, calibration.at_fmr().threshold),
        *detector_notices(others.detectors, new.detector),
    )


def quality_notices(quality: Quality) -> tuple[Notice, ...]:
    """Warns about a photo of low quality."""
    if quality.score >= LOW_QUALITY:
        return ()
    return (Notice("low_quality", f"Enroll a better photo if you can: {'; '.join(quality.reasons)}."),)


def collision_notices(identity: str, candidates: Sequence[Candidate], threshold: float) -> tuple[Notice, ...]:
    """Warns about other identities that the face matches."""
    return tuple(
        Notice(
            "collision",
            f"The face also matches {each.identity!r} (similarity {each.similarity:.3f}): one person under two "
            "names, or a look-alike whom /identify may report as ambiguous.",
        )
        for each in candidates
        if each.identity != identity and each.similarity >= threshold
    )


def outlier_notices(identity: str, own: Sequence[Candidate], threshold: float) -> tuple[Notice, ...]:
    """Warns if the face does not match the identity's earlier templates."""
    return tuple(
        Notice(
            "outlier",
            f"The face does not match the earlier photos of {identity!r} (highest similarity {each.similarity:.3f}). "
            "Check that it is the same person.",
        )
        for each in own
        if each.similarity < threshold
    )


def detector_notices(detectors: frozenset[str], serving: str) -> tuple[Notice, ...]:
    """Warns if templates were made with another detector than the one that serves."""
    others = sorted(detectors - {serving})
    if not others:
        return ()
    return (
        Notice(
            "other_detector",
            f"Some templates were made with the detector {', '.join(others)}; this service runs {serving}. They can "
            "be compared. Enrolling those people again may raise their similarities a little.",
        ),
    )


def erasure_notices(erasure: Erasure) -> tuple[Notice, ...]:
    """Says what is left of the templates and metadata that an enrollment replaced."""
    return () if erasure.complete else (Notice("not_erased_yet", erasure.detail),)
