"""FaceService: every use-case, over the photo reader, the workers and the gallery."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from app.errors import LowQuality
from app.gallery.base import IdempotencyKey, IfExists, NewTemplate
from app.gallery.guarded import GuardedGallery
from app.inference.workers import Workers
from app.verification.decision import decide, error_rates
from app.verification.enrollment_advice import detector_notices, enrollment_notices, erasure_notices
from app.verification.photo_encoding import (
    EncodedFaces,
    describe_face,
    detect_faces,
    encode_photos,
)
from app.verification.recognizability import (
    doubt_notices,
    is_recognizable,
    raise_threshold,
    require_recognizable,
)
from app.verification.results import (
    Decision,
    DetectionResult,
    EmbeddingResult,
    EnrollmentResult,
    IdentificationResult,
    ModelVersion,
    RankedCandidate,
    VerificationResult,
)
from model.calibration import euclidean_distance
from model.encoder.bundle import BundleMetadata
from model.pipeline import PhotoReader
from model.runtime.forms import Choice
from model.selection import FaceSelection

DEFAULT_FPIR = 0.01


@dataclass(frozen=True)
class Hardware:
    """The hardware that computes, and the form chosen for each network and input shape on it."""

    device: str
    processor: str
    instruction_set: str
    encoder: tuple[Choice, ...]
    detector: tuple[Choice, ...]


class FaceService:
    """The use-cases. All methods may run concurrently.

    Every method that takes a photo raises PhotoError with `field` set; those that use the gallery raise
    GalleryUnavailable, and Overloaded if too many calls wait for it. Their docstrings name the other errors.
    """

    def __init__(
        self,
        reader: PhotoReader,
        gallery: GuardedGallery,
        workers: Workers,
        metadata: BundleMetadata,
        clock: Callable[[], float],
        hardware: Hardware,
    ) -> None:
        """Raises ValueError if the bundle is not calibrated. `clock` returns seconds and never runs backwards."""
        if metadata.calibration is None:
            raise ValueError(f"the bundle {metadata.name} is not calibrated; run `python -m training calibrate`")
        self.gallery = gallery
        self._metadata, self._calibration = metadata, metadata.calibration
        self._model = ModelVersion(metadata.name, metadata.version, metadata.encoder_id)
        self._reader, self._workers, self._clock, self._hardware = reader, workers, clock, hardware

    def model_card(self) -> dict[str, Any]:
        """The bundle's metadata, the name of the detector that serves, and the hardware."""
        return {
            **asdict(self._metadata),
            "serving_detector": self._reader.detector.name,
            "serving_on": asdict(self._hardware),
        }

    async def verify(
        self, image1: bytes, image2: bytes, *, target_fmr: float | None, selection: FaceSelection
    ) -> VerificationResult:
        """Compares two photos. Raises TargetUnsupported."""
        point = self._calibration.at_fmr(target_fmr)
        encoded = await self._encode({"image1": image1, "image2": image2}, selection)
        rule, recognizability = self._calibration.recognizability, encoded.recognizability
        for field, value in zip(encoded.fields, recognizability, strict=True):
            require_recognizable(rule, value, field)
        threshold = raise_threshold(point.threshold, rule, recognizability)
        first, second = encoded.embeddings
        similarity = float(np.clip(first @ second, -1.0, 1.0))
        return VerificationResult(
            verified=similarity >= threshold,
            similarity=similarity,
            distance=euclidean_distance(similarity),
            threshold=threshold,
            probability=self._calibration.probability(similarity),
            operating_point=error_rates(point),
            faces=(encoded.describe(0), encoded.describe(1)),
            warnings=doubt_notices(rule, recognizability),
            model=self._model,
            timings_ms=encoded.timings_ms,
        )

    async def enroll(
        self,
        identity: str,
        image: bytes,
        *,
        gallery: str,
        metadata: Mapping[str, Any] | None,
        if_exists: IfExists,
        selection: FaceSelection,
        min_quality: float,
        expires_at: datetime | None = None,
        consent_ref: str | None = None,
        key: IdempotencyKey | None = None,
    ) -> EnrollmentResult:
        """Stores one template. A second call with the same key changes nothing and returns the first template's id.

        Raises LowQuality, IdentityExists, EncoderMismatch, IdempotencyKeyReused.
        """
        began = self._clock()
        encoded = await self._encode({"image": image}, selection)
        rule, recognizability = self._calibration.recognizability, encoded.recognizability
        require_recognizable(rule, recognizability[0], "image")
        quality = encoded.faces[0].quality
        if quality.score < min_quality:
            reasons = "; ".join(quality.reasons) or "no single aspect is bad"
            raise LowQuality(
                f"The photo's quality is {quality.score:.2f}, below the required {min_quality:g}: {reasons}."
            )
        new = NewTemplate(
            gallery,
            identity,
            encoded.embeddings[0],
            self._model.encoder_id,
            self._reader.detector.name,
            quality.score,
            metadata,
            key,
            expires_at,
            consent_ref,
        )
        store = self.gallery.after(self._clock() - began)
        warnings = await enrollment_notices(new, quality, store, self._calibration, DEFAULT_FPIR)
        template = await store.enroll(new, if_exists)
        if if_exists is IfExists.REPLACE or metadata is not None:
            warnings += erasure_notices(store.erasure())
        return EnrollmentResult(
            template_id=template.template_id,
            identity=identity,
            gallery=gallery,
            face=encoded.describe(0),
            warnings=(*doubt_notices(rule, recognizability), *warnings),
            model=self._model,
            timings_ms=encoded.timings_ms,
        )

    async def identify(
        self, image: bytes, *, gallery: str, top_k: int, target_fpir: float | None, selection: FaceSelection
    ) -> IdentificationResult:
        """Searches a gallery for the face. Raises UnknownGallery, EncoderMismatch, TargetUnsupported."""
        began = self._clock()
        encoded = await self._encode({"image": image}, selection)
        start = self._clock()
        store = self.gallery.after(start - began)
        # At least two: whether the best candidate is ambiguous depends on the second.
        found = await store.search(gallery, encoded.embeddings[0], self._model.encoder_id, max(top_k, 2))
        search_ms = (self._clock() - start) * 1000
        target = DEFAULT_FPIR if target_fpir is None else target_fpir
        chosen = self._calibration.at_fpir(found.size, target, explicit=target_fpir is not None)
        rule, recognizability = self._calibration.recognizability, encoded.recognizability
        threshold = raise_threshold(chosen.point.threshold, rule, recognizability)
        is_named = is_recognizable(rule, recognizability[0])
        passing = [each for each in found.candidates if is_named and each.similarity >= threshold]
        decision = decide(passing, self._calibration)
        return IdentificationResult(
            decision=decision,
            identity=passing[0].identity if decision is Decision.MATCH else None,
            candidates=tuple(
                RankedCandidate(each.identity, each.similarity, each.template_id, each in passing)
                for each in found.candidates[:top_k]
            ),
            threshold=threshold,
            expected_fpir=chosen.expected_fpir if found.size else 0.0,
            target_met=chosen.target_met,
            gallery=gallery,
            gallery_size=found.size,
            face=encoded.describe(0),
            warnings=(
                *doubt_notices(rule, recognizability),
                *detector_notices(found.detectors, self._reader.detector.name),
            ),
            model=self._model,
            timings_ms={**encoded.timings_ms, "search": search_ms},
        )

    async def embed(self, image: bytes, *, selection: FaceSelection) -> EmbeddingResult:
        """Returns the embedding of one face, a unit vector (D,)."""
        encoded = await self._encode({"image": image}, selection)
        return EmbeddingResult(
            embedding=tuple(encoded.embeddings[0].tolist()),
            face=encoded.describe(0),
            model=self._model,
            timings_ms=encoded.timings_ms,
        )

    async def detect(self, image: bytes) -> DetectionResult:
        """Finds every face of a photo. A photo without a face gives an empty result."""
        detected = await detect_faces(self._reader, self._workers, "image", image)
        photo = detected.result
        return DetectionResult(
            faces=tuple(describe_face(face, quality, len(photo.faces)) for face, quality in photo.faces),
            width=photo.width,
            height=photo.height,
            timings_ms={**photo.timings_ms, "queue": detected.queue_ms},
        )

    async def _encode(self, photos: Mapping[str, bytes], selection: FaceSelection) -> EncodedFaces:
        return await encode_photos(self._reader, self._workers, photos, selection)
