"""The use-cases: verify, enroll, identify, look, forget. No HTTP, no SQL, no torch."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.answers import (
    Decision,
    DetectedFaces,
    EmbeddedFace,
    Enrollment,
    FaceReport,
    RankedCandidate,
    SearchAnswer,
    Verdict,
    Warned,
)
from app.errors import EncoderMismatch, LowQuality, UnknownGallery
from app.gallery.base import EnrollmentKey, Gallery, IfExists, NewTemplate
from app.inference.workers import Done, Workers
from model.calibration import Calibration, distance
from model.encoder.bundle import BundleMetadata
from model.errors import PhotoError
from model.face import Face
from model.pipeline import PhotoReader, SeenFace
from model.quality import LOW, Quality
from model.runtime.forms import Choice
from model.selection import FaceSelection

T = TypeVar("T")

DEFAULT_FPIR = 0.01


@dataclass(frozen=True)
class _Encoded:
    """The faces of a request's photos and their vectors (B, D)."""

    seen: Sequence[SeenFace]
    vectors: NDArray[np.float32]
    ms: Mapping[str, float]


@dataclass(frozen=True)
class Hardware:
    """What computes here, and in which form each network runs on it, by the size of the input."""

    device: str
    processor: str
    instruction_set: str
    encoder: tuple[Choice, ...]
    detector: tuple[Choice, ...]


class FaceService:
    """Everything that the service can do, over its ports."""

    def __init__(
        self,
        reader: PhotoReader,
        gallery: Gallery,
        workers: Workers,
        metadata: BundleMetadata,
        clock: Callable[[], float],
        hardware: Hardware,
    ) -> None:
        """Raises ValueError where the bundle carries no calibration. `clock` gives seconds that only ever rise."""
        if metadata.calibration is None:
            raise ValueError(f"the bundle {metadata.name} is not calibrated; run `python -m training calibrate`")
        self.gallery = gallery
        self.metadata = metadata
        self._calibration: Calibration = metadata.calibration
        self._reader, self._workers, self._clock, self._hardware = reader, workers, clock, hardware

    def check_room(self) -> None:
        """Raises Overloaded where a request would be refused: before its body is read."""
        self._workers.check_room()

    async def verify(
        self, image1: bytes, image2: bytes, *, target_fmr: float | None, selection: FaceSelection
    ) -> Verdict:
        """Raises PhotoError with `field` set, TargetUnsupported, Overloaded, DeadlineExceeded; so do the others."""
        point = self._calibration.at_fmr(target_fmr)
        encoded = await self._encode({"image1": image1, "image2": image2}, selection)
        first, second = encoded.vectors
        similarity = float(np.clip(first @ second, -1.0, 1.0))
        return Verdict(
            verified=similarity >= point.threshold,
            similarity=similarity,
            distance=distance(similarity),
            threshold=point.threshold,
            probability=self._calibration.probability(similarity),
            operating_point=point,
            faces=(_report(encoded.seen[0]), _report(encoded.seen[1])),
            timings_ms=encoded.ms,
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
        key: EnrollmentKey | None = None,
    ) -> Enrollment:
        """Keeps one template; with the same key, only once. Raises LowQuality, IdentityExists, EncoderMismatch and
        KeyReused besides."""
        encoded = await self._encode({"image": image}, selection)
        seen, vector = encoded.seen[0], encoded.vectors[0]
        if seen.quality.score < min_quality:
            reasons = "; ".join(seen.quality.reasons) or "no single aspect is bad"
            raise LowQuality(
                f"The photo's quality is {seen.quality.score:.2f}, below the {min_quality:g} asked for: {reasons}."
            )
        new = NewTemplate(
            gallery,
            identity,
            vector,
            self.metadata.encoder_id,
            self._reader.detector.name,
            seen.quality.score,
            metadata,
            key,
        )
        warnings = (*_quality_warnings(seen.quality), *await self._advice(new))
        template = await self.gallery.enroll(new, if_exists)
        return Enrollment(template.template_id, identity, gallery, _report(seen), warnings, encoded.ms)

    async def identify(
        self, image: bytes, *, gallery: str, top_k: int, target_fpir: float | None, selection: FaceSelection
    ) -> SearchAnswer:
        """Raises UnknownGallery, EncoderMismatch besides."""
        encoded = await self._encode({"image": image}, selection)
        start = self._clock()
        # Two at least: whether the best is ambiguous depends on the next.
        found = await self.gallery.search(gallery, encoded.vectors[0], self.metadata.encoder_id, max(top_k, 2))
        searched = (self._clock() - start) * 1000
        target = DEFAULT_FPIR if target_fpir is None else target_fpir
        rule = self._calibration.at_fpir(found.size, target, explicit=target_fpir is not None)
        threshold = rule.point.threshold
        passing = [candidate for candidate in found.candidates if candidate.similarity >= threshold]
        match passing:
            case []:
                decision = Decision.UNKNOWN
            case [best, second, *_] if best.similarity - second.similarity < self._calibration.ambiguity_margin:
                decision = Decision.AMBIGUOUS
            case _:
                decision = Decision.MATCH
        return SearchAnswer(
            decision=decision,
            identity=passing[0].identity if decision is Decision.MATCH else None,
            candidates=tuple(
                RankedCandidate(each.identity, each.similarity, each.template_id, each.similarity >= threshold)
                for each in found.candidates[:top_k]
            ),
            threshold=threshold,
            expected_fpir=rule.expected_fpir if found.size else 0.0,
            target_met=rule.target_met,
            gallery=gallery,
            gallery_size=found.size,
            face=_report(encoded.seen[0]),
            warnings=_detector_warnings(found.detectors, self._reader.detector.name),
            timings_ms={**encoded.ms, "search": searched},
        )

    async def embed(self, image: bytes, *, selection: FaceSelection) -> EmbeddedFace:
        encoded = await self._encode({"image": image}, selection)
        return EmbeddedFace(tuple(encoded.vectors[0].tolist()), _report(encoded.seen[0]), encoded.ms)

    def card(self) -> dict[str, Any]:
        """The bundle's metadata, the detector of this service, and what it runs on."""
        return {
            **asdict(self.metadata),
            "serving_detector": self._reader.detector.name,
            "serving_on": asdict(self._hardware),
        }

    async def detect(self, image: bytes) -> DetectedFaces:
        """Every face; a photo without any is an empty answer."""
        async with self._workers.admitted():
            done = await self._workers.run(lambda: _named("image", lambda: self._reader.survey(image)))
        photo = done.result
        faces = tuple(_describe(face, quality, len(photo.faces)) for face, quality in photo.faces)
        return DetectedFaces(faces, photo.width, photo.height, {**photo.ms, "queue": done.waited_ms})

    async def _encode(self, images: Mapping[str, bytes], selection: FaceSelection) -> _Encoded:
        """The faces of all photos of one request: read side by side, encoded in one batch."""

        async def read(name: str, data: bytes) -> Done[SeenFace]:
            return await self._workers.run(lambda: _named(name, lambda: self._reader.read(data, selection)))

        async with self._workers.admitted():
            answers = await asyncio.gather(*(read(*each) for each in images.items()), return_exceptions=True)
            photos: list[Done[SeenFace]] = []
            for answer in answers:
                if isinstance(answer, BaseException):
                    raise answer  # of several, always the first photo's
                photos.append(answer)
            seen = [photo.result for photo in photos]
            done = await self._workers.encode(np.stack([face.crop for face in seen]))
        ms = {stage: sum(face.ms[stage] for face in seen) for stage in ("decode", "detect", "align")}
        waited = max(photo.waited_ms for photo in photos) + done.waited_ms
        return _Encoded(seen, done.result, {**ms, "queue": waited, "encode": done.took_ms})

    async def _advice(self, new: NewTemplate) -> list[Warned]:
        """Whom else the new template resembles, and whether it fits the older ones of its own identity."""
        try:
            others = await self.gallery.search(new.gallery, new.vector, new.encoder_id, top_k=2)
            own = await self.gallery.search(new.gallery, new.vector, new.encoder_id, top_k=1, only=new.identity)
        except (UnknownGallery, EncoderMismatch):
            return []  # nothing to compare with; whether it may be enrolled, the gallery decides
        threshold = self._calibration.at_fpir(others.size, DEFAULT_FPIR, explicit=False).point.threshold
        advice = [
            Warned(
                "collision",
                f"The face also matches {each.identity!r} (similarity {each.similarity:.3f}): one person under two "
                "names, or a look-alike whom /identify may report as ambiguous.",
            )
            for each in others.candidates
            if each.identity != new.identity and each.similarity >= threshold
        ]
        advice += [
            Warned(
                "outlier",
                f"The face does not match the earlier photos of {new.identity!r} (similarity {each.similarity:.3f} at "
                "best). Check that it is the same person.",
            )
            for each in own.candidates
            if each.similarity < self._calibration.at_fmr().threshold
        ]
        return [*advice, *_detector_warnings(others.detectors, new.detector)]


def _named(name: str, read: Callable[[], T]) -> T:
    """Lets an error say which of the request's photos it is about."""
    try:
        return read()
    except PhotoError as error:
        error.field = name
        raise


def _quality_warnings(quality: Quality) -> tuple[Warned, ...]:
    if quality.score >= LOW:
        return ()
    return (Warned("low_quality", f"Enroll a better photo if you can: {'; '.join(quality.reasons)}."),)


def _detector_warnings(detectors: frozenset[str], mine: str) -> tuple[Warned, ...]:
    others = sorted(detectors - {mine})
    if not others:
        return ()
    return (
        Warned(
            "other_detector",
            f"Some templates were found by {', '.join(others)}, while this service runs {mine}. They can be compared; "
            "enrolling those people anew may raise their similarities a little.",
        ),
    )


def _report(seen: SeenFace) -> FaceReport:
    return _describe(seen.face, seen.quality, seen.faces_in_photo)


def _describe(face: Face, quality: Quality, faces_in_photo: int) -> FaceReport:
    return FaceReport(
        box=tuple(round(float(value), 1) for value in face.box),
        landmarks=tuple((round(float(x), 1), round(float(y), 1)) for x, y in face.landmarks),
        detection_score=round(face.score, 4),
        quality=quality,
        rotation=face.rotation,
        faces_in_photo=faces_in_photo,
    )
