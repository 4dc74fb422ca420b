"""The service's answers as frozen dataclasses. /docs of a service describes every field."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Record:
    """An answer, or part of one. `extra` holds the fields that a newer service sends and this version does not know."""

    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class ModelVersion(Record):
    """The bundle that computed the answer."""

    name: str
    version: str
    encoder_id: str


@dataclass(frozen=True, kw_only=True)
class Notice(Record):
    """A warning about a request that succeeded."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Quality(Record):
    score: float  # 0..1, of the worst aspect
    reasons: tuple[str, ...]  # every aspect that is bad, in words
    recognizability: float | None = None  # 0..1; None where the service does not measure it
    reason_codes: tuple[str, ...] = ()  # the reasons as codes, in the same order
    measures: Mapping[str, float] | None = None  # what the score was computed from


@dataclass(frozen=True, kw_only=True)
class Pose(Record):
    """Angles in degrees; all are 0 for an upright frontal face."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, kw_only=True)
class Liveness(Record):
    """Whether a face was before the camera. One photo cannot prove it."""

    score: float  # 0..1; high is live
    threshold: float
    decision: str  # live or attack


@dataclass(frozen=True, kw_only=True)
class Face(Record):
    """A face in pixels of the photo as sent, with its EXIF orientation applied."""

    box: tuple[float, float, float, float]  # left, top, right, bottom
    landmarks: tuple[tuple[float, float], ...]  # left eye, right eye, nose, left and right mouth corner
    detection_score: float  # 0..1, the measured chance that this is a face
    pose: Pose
    quality: Quality
    rotation: int  # degrees counter-clockwise by which the photo was turned to find the face
    faces_in_photo: int
    liveness: Liveness | None = None  # with liveness="report" or "require"


@dataclass(frozen=True, kw_only=True)
class ErrorRates(Record):
    """The error rates measured at the threshold in use."""

    fmr: float  # share of pairs of different people that pass
    fnmr: float  # share of pairs of one person that do not pass
    false_matches: int
    impostor_pairs: int
    genuine_pairs: int
    people: int
    interval: tuple[float, float]  # 95 % confidence limits of fmr
    fnmr_interval: tuple[float, float]
    fmr_worst_group: float | None = None
    worst_group: str | None = None


@dataclass(frozen=True, kw_only=True)
class Verification(Record):
    verified: bool  # True if and only if similarity >= threshold
    similarity: float  # -1..1
    distance: float  # 0..2
    threshold: float
    probability: float  # that both photos show the same person, at equal prior odds
    operating_point: ErrorRates
    faces: tuple[Face, ...]  # of image1, and of image2 if there is one
    warnings: tuple[Notice, ...]
    model: ModelVersion
    timings_ms: Mapping[str, float]
    identity: str | None = None  # the person that the photo was compared with
    gallery: str | None = None
    template_id: str | None = None  # the person's most similar template
    templates: int = 1  # that were compared
    expected_fmr: float | None = None  # of the whole comparison
    target_met: bool = True
    rejected: bool = False


@dataclass(frozen=True, kw_only=True)
class EnrolledTemplate(Record):
    template_id: str
    face: Face


@dataclass(frozen=True, kw_only=True)
class Enrollment(Record):
    template_id: str  # of the first photo
    identity: str
    gallery: str
    face: Face  # on the first photo
    warnings: tuple[Notice, ...]
    model: ModelVersion
    timings_ms: Mapping[str, float]
    templates: tuple[EnrolledTemplate, ...] = ()  # one for each photo, in their order


@dataclass(frozen=True, kw_only=True)
class Candidate(Record):
    identity: str
    similarity: float
    template_id: str
    above_threshold: bool
    rejected: bool = False  # never a match: the face is at least as similar to a rejected one


@dataclass(frozen=True, kw_only=True)
class IdentifiedFace(Record):
    """One of several faces on a photo, and whom it shows."""

    face: Face
    decision: str
    identity: str | None
    candidates: tuple[Candidate, ...]
    threshold: float
    expected_fpir: float
    target_met: bool
    operating_point: ErrorRates
    warnings: tuple[Notice, ...]


@dataclass(frozen=True, kw_only=True)
class Identification(Record):
    decision: str  # match, unknown or ambiguous
    identity: str | None  # the person, if the decision is match
    candidates: tuple[Candidate, ...]  # the most similar people, whether or not they pass
    threshold: float
    expected_fpir: float  # chance that somebody who is not enrolled is taken for somebody who is
    target_met: bool
    gallery: str
    gallery_size: int  # templates searched
    face: Face | None  # None for a search by embedding
    warnings: tuple[Notice, ...]
    model: ModelVersion
    timings_ms: Mapping[str, float]
    largest_gallery: int | None = None  # templates with which the target is kept, at most; None: any number
    operating_point: ErrorRates | None = None
    faces: tuple[IdentifiedFace, ...] = ()  # with faces="all": everybody on the photo


@dataclass(frozen=True, kw_only=True)
class RejectionReceipt(Record):
    """A face that is remembered as somebody else's."""

    rejection_id: str
    identity: str
    gallery: str
    face: Face | None  # None for an embedding
    model: ModelVersion
    timings_ms: Mapping[str, float]
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rejection(Record):
    rejection_id: str
    encoder_id: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Embedding(Record):
    embedding: tuple[float, ...]  # of unit length; compare it only with vectors of the same encoder_id
    face: Face
    model: ModelVersion
    timings_ms: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Detection(Record):
    faces: tuple[Face, ...]  # best score first; empty if there is none
    width: int
    height: int
    timings_ms: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Template(Record):
    """One enrolled photo. The photo itself is not kept."""

    template_id: str
    encoder_id: str
    detector: str
    quality: float
    created_at: datetime
    expires_at: datetime | None = None
    consent_ref: str | None = None


@dataclass(frozen=True, kw_only=True)
class Identity(Record):
    """One person."""

    gallery: str
    identity: str
    metadata: Mapping[str, Any]
    created_at: datetime
    templates: tuple[Template, ...]  # oldest first


@dataclass(frozen=True, kw_only=True)
class Erasure(Record):
    """What a change left of removed data in the database's files."""

    complete: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class ForgottenRejection(Record):
    rejection_id: str
    erasure: Erasure


@dataclass(frozen=True, kw_only=True)
class EditedIdentity(Identity):
    """A person after a change."""

    erasure: Erasure


@dataclass(frozen=True, kw_only=True)
class DeletionReceipt(Record):
    gallery: str
    identities: tuple[str, ...]
    template_ids: tuple[str, ...]
    erased_at: datetime
    erasure: Erasure


@dataclass(frozen=True, kw_only=True)
class GallerySummary(Record):
    gallery: str
    identities: int
    templates: int
    encoder_ids: tuple[str, ...]
    detectors: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ModelCard(Record):
    """The bundle that serves. `extra` has the rest of the card: calibration, evaluation, training, hardware."""

    name: str
    version: str
    encoder_id: str
    embedding_dim: int
    serving_detector: str


@dataclass(frozen=True, kw_only=True)
class Health(Record):
    status: str  # ready, or not ready
    reasons: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        return self.status == "ready"


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of many. The next page is asked for with `next_after`; on the last page it is None."""

    items: tuple[T, ...]
    next_after: str | None
