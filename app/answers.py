"""What the use-cases answer: frozen records that know no HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from model.calibration import OperatingPoint
from model.quality import Quality


@dataclass(frozen=True)
class FaceReport:
    """A face in pixels of the photo as sent, EXIF orientation applied."""

    box: tuple[float, ...]  # left, top, right, bottom
    landmarks: tuple[tuple[float, float], ...]
    detection_score: float
    quality: Quality
    rotation: int
    faces_in_photo: int


@dataclass(frozen=True)
class Verdict:
    verified: bool
    similarity: float
    distance: float
    threshold: float
    probability: float
    operating_point: OperatingPoint
    faces: tuple[FaceReport, FaceReport]
    timings_ms: Mapping[str, float]


@dataclass(frozen=True)
class Warned:
    """Something that the caller should know, though it stopped nothing."""

    code: str
    message: str


@dataclass(frozen=True)
class Enrollment:
    template_id: str
    identity: str
    gallery: str
    face: FaceReport
    warnings: tuple[Warned, ...]
    timings_ms: Mapping[str, float]


class Decision(StrEnum):
    MATCH = "match"  # one identity passes the threshold, clearly ahead of the next
    UNKNOWN = "unknown"  # nobody passes
    AMBIGUOUS = "ambiguous"  # two pass, too close to each other to tell


@dataclass(frozen=True)
class RankedCandidate:
    identity: str
    similarity: float
    template_id: str
    above_threshold: bool


@dataclass(frozen=True)
class SearchAnswer:
    decision: Decision
    identity: str | None  # of a match
    candidates: tuple[RankedCandidate, ...]
    threshold: float
    expected_fpir: float
    target_met: bool
    gallery: str
    gallery_size: int
    face: FaceReport
    warnings: tuple[Warned, ...]
    timings_ms: Mapping[str, float]


@dataclass(frozen=True)
class EmbeddedFace:
    embedding: tuple[float, ...]
    face: FaceReport
    timings_ms: Mapping[str, float]


@dataclass(frozen=True)
class DetectedFaces:
    faces: tuple[FaceReport, ...]
    width: int
    height: int
    timings_ms: Mapping[str, float]
