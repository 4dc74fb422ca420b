"""Warnings about templates: poor photos, look-alikes, outliers, another detector. They never stop a request."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.errors import EncoderMismatch, UnknownGallery, UnknownIdentity
from app.gallery.base import Candidate, Erasure, NewTemplate
from app.gallery.guarded import GuardedGallery
from app.verification.notices import Notice, NoticeCode
from model.calibration import Calibration
from model.quality import LOW_QUALITY, Quality


async def enrollment_notices(
    new: NewTemplate, quality: Quality, gallery: GuardedGallery, calibration: Calibration, fpir: float
) -> tuple[Notice, ...]:
    """Compares a template with the gallery before it is enrolled. `fpir` chooses the threshold for look-alikes."""
    notices = quality_notices(quality)
    own: Candidate | None = None
    try:
        others = await gallery.search(new.gallery, new.vector, new.encoder_id, top_k=2)
        own = (await gallery.compare(new.gallery, new.identity, new.vector, new.encoder_id)).best
    except UnknownIdentity:
        pass  # the first photo of a person
    except (UnknownGallery, EncoderMismatch):
        return notices  # no template to compare with; Gallery.enroll decides whether to refuse
    threshold = calibration.at_fpir(others.size, fpir, explicit=False).point.threshold
    return (
        *notices,
        *collision_notices(new.identity, others.candidates, threshold),
        *outlier_notices(new.identity, own, calibration.at_fmr().threshold),
        *detector_notices(others.detectors, new.detector),
    )


def quality_notices(quality: Quality) -> tuple[Notice, ...]:
    """Warns about a photo of low quality."""
    if quality.score >= LOW_QUALITY:
        return ()
    return (Notice(NoticeCode.LOW_QUALITY, f"Enroll a better photo if you can: {'; '.join(quality.reasons)}."),)


def collision_notices(identity: str, candidates: Sequence[Candidate], threshold: float) -> tuple[Notice, ...]:
    """Warns about other identities that the face matches."""
    return tuple(
        Notice(
            NoticeCode.COLLISION,
            f"The face also matches {each.identity!r} (similarity {each.similarity:.3f}): one person under two "
            "names, or a look-alike whom /identify may report as ambiguous.",
        )
        for each in candidates
        if each.identity != identity and each.similarity >= threshold
    )


def outlier_notices(identity: str, own: Candidate | None, threshold: float) -> tuple[Notice, ...]:
    """Warns if the face does not match the identity's earlier templates, or matches a rejected face.

    `own` is the best of them; None if there are none.
    """
    if own is None:
        return ()
    notices = []
    if own.similarity < threshold:
        message = (
            f"The face does not match the earlier photos of {identity!r} (highest similarity {own.similarity:.3f}). "
            "Check that it is the same person."
        )
        notices.append(Notice(NoticeCode.OUTLIER, message))
    if own.is_rejected:
        message = (
            f"The face is at least as similar to one that was rejected for {identity!r} as to the earlier photos. "
            "Check that it is the same person, and delete the rejection if it was a mistake."
        )
        notices.append(Notice(NoticeCode.REJECTED, message))
    return tuple(notices)


def outlier_notices_among(vectors: NDArray[np.float32], threshold: float) -> tuple[Notice, ...]:
    """Warns of photos that match no other photo of the same enrollment. `vectors` (N, D) have unit length."""
    if len(vectors) < 2:
        return ()
    similarities = vectors @ vectors.T
    np.fill_diagonal(similarities, -1.0)
    return tuple(
        Notice(
            NoticeCode.OUTLIER,
            f"Photo {number} matches none of the other photos (highest similarity {best:.3f}). Check that all show the "
            "same person.",
        )
        for number, best in enumerate(similarities.max(axis=1).tolist(), start=1)
        if best < threshold
    )


def distinct(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """The notices without repetitions, in their order."""
    return tuple(dict.fromkeys(notices))


def detector_notices(detectors: frozenset[str], serving: str) -> tuple[Notice, ...]:
    """Warns if templates were made with another detector than the one that serves."""
    others = sorted(detectors - {serving})
    if not others:
        return ()
    return (
        Notice(
            NoticeCode.OTHER_DETECTOR,
            f"Some templates were made with the detector {', '.join(others)}; this service runs {serving}. They can "
            "be compared. Enrolling those people again may raise their similarities a little.",
        ),
    )


def erasure_notices(erasure: Erasure) -> tuple[Notice, ...]:
    """Says what is left of the templates and metadata that an enrollment replaced."""
    return () if erasure.complete else (Notice(NoticeCode.NOT_ERASED_YET, erasure.detail),)
