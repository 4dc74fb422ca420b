"""The use-cases that search a gallery: for one face, for everybody on a photo, or for an embedding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.gallery.base import SearchResult
from app.gallery.guarded import GuardedGallery
from app.verification.decision import decide, error_rates
from app.verification.detected_face import DetectedFace
from app.verification.embedding import read_embedding
from app.verification.enrollment_advice import detector_notices
from app.verification.liveness import LivenessMode
from app.verification.notices import Notice, NoticeCode
from app.verification.photo_encoding import encode_every_face
from app.verification.recognizability import doubt_notices, is_recognizable, raise_threshold
from app.verification.results import Decision, FaceChoice, IdentificationResult, IdentifiedFace, RankedCandidate
from app.verification.service import FaceService
from model.calibration import SearchThreshold
from model.selection import FaceSelection

DEFAULT_FPIR: Final = 0.01
MAX_FACES: Final = 32  # of one photo that are identified
REJECTED: Final = Notice(
    NoticeCode.REJECTED, "A candidate that passes was rejected for a face like this one, so it is no match."
)


@dataclass(frozen=True)
class SearchOptions:
    """Where to search, how many candidates to list, and the false positive identification rate to keep."""

    gallery: str
    top_k: int
    target_fpir: float | None

    @property
    def target(self) -> float:
        return DEFAULT_FPIR if self.target_fpir is None else self.target_fpir


async def identify_photo(
    service: FaceService,
    image: bytes,
    options: SearchOptions,
    selection: FaceSelection,
    choice: FaceChoice,
    liveness: LivenessMode = LivenessMode.OFF,
) -> IdentificationResult:
    """Searches for the selected face of a photo, or for all of them.

    Raises UnknownGallery, EncoderMismatch, TargetUnsupported.
    """
    most = MAX_FACES if choice is FaceChoice.ALL else 1
    if most == 1:
        encoded = await service.encode({"image": image}, selection, liveness)
    else:
        check = await service.open_check(liveness)
        encoded = await encode_every_face(service.reader, service.workers, "image", image, selection, most, check)
    start = service.clock()
    store = service.gallery
    searches = [await _search(service, store, vector, options) for vector in encoded.embeddings]
    timings_ms = {**encoded.timings_ms, "search": (service.clock() - start) * 1000}
    judged = [_judge(service, *search, value) for search, value in zip(searches, encoded.recognizability, strict=True)]
    faces = tuple(_describe(encoded.describe(index), each, options.top_k) for index, each in enumerate(judged))
    count = faces[0].face.faces_in_photo
    hidden = (_more_faces(count),) if 1 < most < count else ()
    result = _result(service, searches[0][0], judged[0], options, timings_ms)
    return replace(
        result,
        face=faces[0].face,
        faces=faces if choice is FaceChoice.ALL else (),
        warnings=(*encoded.notices, *result.warnings, *hidden),
    )


async def identify_embedding(
    service: FaceService, embedding: Sequence[float], encoder_id: str, options: SearchOptions
) -> IdentificationResult:
    """Searches for an embedding.

    Raises EmbeddingMismatch, MalformedRequest, UnknownGallery, EncoderMismatch, TargetUnsupported.
    """
    vector = read_embedding(service, embedding, encoder_id)
    start = service.clock()
    found, chosen = await _search(service, service.gallery, vector, options)
    timings_ms = {"search": (service.clock() - start) * 1000}
    return _result(service, found, _judge(service, found, chosen, None), options, timings_ms)


@dataclass(frozen=True)
class _Judgement:
    """What a search says of one face."""

    decision: Decision
    identity: str | None
    candidates: tuple[RankedCandidate, ...]
    threshold: float
    chosen: SearchThreshold
    warnings: tuple[Notice, ...]


async def _search(
    service: FaceService, store: GuardedGallery, vector: NDArray[np.float32], options: SearchOptions
) -> tuple[SearchResult, SearchThreshold]:
    """Searches until two candidates are not rejected: whether the best one is ambiguous depends on the second."""
    wanted = max(options.top_k, 2)
    while True:
        found = await store.search(options.gallery, vector, service.model.encoder_id, wanted)
        possible = sum(not each.is_rejected for each in found.candidates)
        if possible >= 2 or len(found.candidates) < wanted:
            break
        wanted *= 2
    explicit = options.target_fpir is not None
    return found, service.calibration.at_fpir(found.size, options.target, explicit=explicit)


def _judge(
    service: FaceService, found: SearchResult, chosen: SearchThreshold, recognizability: float | None
) -> _Judgement:
    rule = service.calibration.recognizability
    threshold = raise_threshold(chosen.point.threshold, rule, [recognizability])
    is_named = is_recognizable(rule, recognizability)
    similar = [each for each in found.candidates if is_named and each.similarity >= threshold]
    passing = [each for each in similar if not each.is_rejected]
    decision = decide(passing, service.calibration)
    rejected = (REJECTED,) if len(passing) < len(similar) else ()
    return _Judgement(
        decision=decision,
        identity=passing[0].identity if decision is Decision.MATCH else None,
        candidates=tuple(
            RankedCandidate(each.identity, each.similarity, each.template_id, each in passing, each.is_rejected)
            for each in found.candidates
        ),
        threshold=threshold,
        chosen=chosen if found.size else replace(chosen, expected_fpir=0.0),
        warnings=(*doubt_notices(rule, [recognizability]), *rejected),
    )


def _describe(face: DetectedFace, judged: _Judgement, top_k: int) -> IdentifiedFace:
    return IdentifiedFace(
        face=face,
        decision=judged.decision,
        identity=judged.identity,
        candidates=judged.candidates[:top_k],
        threshold=judged.threshold,
        expected_fpir=judged.chosen.expected_fpir,
        target_met=judged.chosen.target_met,
        operating_point=error_rates(judged.chosen.point),
        warnings=judged.warnings,
    )


def _result(
    service: FaceService,
    found: SearchResult,
    judged: _Judgement,
    options: SearchOptions,
    timings_ms: Mapping[str, float],
) -> IdentificationResult:
    return IdentificationResult(
        decision=judged.decision,
        identity=judged.identity,
        candidates=judged.candidates[: options.top_k],
        threshold=judged.threshold,
        expected_fpir=judged.chosen.expected_fpir,
        target_met=judged.chosen.target_met,
        gallery=options.gallery,
        gallery_size=found.size,
        largest_gallery=service.calibration.largest_gallery(options.target),
        operating_point=error_rates(judged.chosen.point),
        face=None,
        warnings=(*judged.warnings, *detector_notices(found.detectors, service.reader.detector.name)),
        model=service.model,
        timings_ms=timings_ms,
    )


def _more_faces(count: int) -> Notice:
    return Notice(
        NoticeCode.MORE_FACES,
        f"The photo shows {count} faces. The {MAX_FACES} largest were identified; crop the photo to find the others.",
    )
