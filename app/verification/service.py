"""FaceService: what the use-cases share, and those that store nothing."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.callers import Caller
from app.gallery.guarded import GuardedGallery
from app.inference.liveness import LivenessLoader
from app.inference.workers import Workers
from app.verification.liveness import LivenessCheck, LivenessMode, open_check, stricter_mode
from app.verification.photo_encoding import ENDS_EARLY, EncodedFaces, describe_face, detect_faces, encode_photos
from app.verification.results import DetectionResult, EmbeddingResult, ModelVersion
from model.encoder.bundle import BundleMetadata
from model.pipeline import PhotoReader
from model.runtime.forms import Choice
from model.selection import FaceSelection


@dataclass(frozen=True)
class Hardware:
    """The hardware that computes, and the form chosen for each network and input shape on it."""

    device: str
    processor: str
    instruction_set: str
    encoder: tuple[Choice, ...]
    detector: tuple[Choice, ...]


class FaceService:
    """The photo reader, the workers, the gallery and the calibration. Everything may run concurrently.

    The use-cases are functions of the modules beside this one. Each that takes a photo raises PhotoError with `field`
    set, and PresentationAttack and LivenessUnavailable if liveness is asked for; those that use the gallery raise
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
        liveness: LivenessLoader,
        least_liveness: LivenessMode = LivenessMode.OFF,
    ) -> None:
        """Raises ValueError if the bundle is not calibrated. `clock` returns seconds and never runs backwards.

        `least_liveness` holds for every request that asks for less.
        """
        if metadata.calibration is None:
            raise ValueError(f"the bundle {metadata.name} is not calibrated; run `python -m training calibrate`")
        self.gallery, self.reader, self.workers, self.clock = gallery, reader, workers, clock
        self.calibration = metadata.calibration
        self.model = ModelVersion(metadata.name, metadata.version, metadata.encoder_id)
        self.dimension = metadata.embedding_dim
        self.least_liveness, self._liveness = least_liveness, liveness
        self._metadata, self._hardware = metadata, hardware

    def for_caller(self, caller: Caller) -> "FaceService":
        """The same service as `caller` may use it: every use of the gallery is checked and recorded as the caller's."""
        view = copy.copy(self)
        view.gallery = self.gallery.for_caller(caller)
        return view

    def model_card(self) -> dict[str, Any]:
        """The bundle's metadata, the detector that serves, where its landmarks lie in crops, the hardware, and whether
        changes are audited."""
        return {
            **asdict(self._metadata),
            "serving_detector": self.reader.detector.name,
            "serving_template": self.reader.template.tolist(),
            "serving_on": asdict(self._hardware),
            "audit": "on" if self.gallery.is_audited else "off",
        }

    async def embed(self, image: bytes, *, selection: FaceSelection) -> EmbeddingResult:
        """Returns the embedding of one face, a unit vector (D,)."""
        encoded = await self.encode({"image": image}, selection)
        return EmbeddingResult(
            embedding=tuple(encoded.embeddings[0].tolist()),
            face=encoded.describe(0),
            model=self.model,
            timings_ms=encoded.timings_ms,
            warnings=encoded.notices,
        )

    async def detect(self, image: bytes, *, liveness: LivenessMode = LivenessMode.OFF) -> DetectionResult:
        """Finds every face of a photo. A photo without a face gives an empty result."""
        check = await self.open_check(liveness)
        detected, judged = await detect_faces(self.reader, self.workers, "image", image, check)
        photo = detected.result
        results = judged.result or (None,) * len(photo.faces)
        taken = {} if check is None else {"liveness": judged.run_ms}
        return DetectionResult(
            faces=tuple(
                describe_face(face, quality, len(photo.faces), liveness=result)
                for (face, quality), result in zip(photo.faces, results, strict=True)
            ),
            width=photo.width,
            height=photo.height,
            timings_ms={**photo.timings_ms, "queue": detected.queue_ms, **taken},
            warnings=(ENDS_EARLY,) if photo.ends_early else (),
        )

    async def encode(
        self, photos: Mapping[str, bytes], selection: FaceSelection, liveness: LivenessMode = LivenessMode.OFF
    ) -> EncodedFaces:
        """Reads and encodes one face of each photo, and judges its liveness if that is asked for."""
        check = await self.open_check(liveness)
        return await encode_photos(self.reader, self.workers, photos, selection, check)

    async def open_check(self, asked: LivenessMode) -> LivenessCheck | None:
        """The check for a request; None if neither the request nor the operator asks for one."""
        return await open_check(stricter_mode(asked, self.least_liveness), self._liveness, self.workers)
