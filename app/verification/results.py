"""What the use-cases return: frozen dataclasses, which also serve as the HTTP API's response models.

The descriptions and examples of the fields are those of /openapi.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PlainSerializer


def _round_timings(timings_ms: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(taken, 2) for stage, taken in timings_ms.items()}


TimingsMs = Annotated[
    Mapping[str, float],
    PlainSerializer(_round_timings, return_type=dict[str, float]),
    Field(description="Milliseconds by stage: decode, detect, align, queue, encode, search, as far as they apply."),
]


@dataclass(frozen=True)
class ModelVersion:
    """The bundle that computed the answer."""

    name: str
    version: str
    encoder_id: str


@dataclass(frozen=True)
class FaceQuality:
    score: Annotated[float, Field(description="0..1, of the worst aspect.", examples=[0.8])]
    reasons: Annotated[tuple[str, ...], Field(description="Every aspect that is bad, in words.")]
    recognizability: Annotated[
        float | None,
        Field(
            description="0..1, the cosine that this face is expected to have with a good photo of the same person. "
            "null from /detect, and if the bundle does not measure it.",
            examples=[0.7],
        ),
    ] = None


@dataclass(frozen=True)
class FacePose:
    """Angles in degrees, estimated from the landmarks; all are 0 for an upright frontal face."""

    yaw: Annotated[float, Field(description="-90..90; positive: turned to the right of the photo.")]
    pitch: Annotated[float, Field(description="-90..90; positive: looking up.")]
    roll: Annotated[float, Field(description="-180..180; positive: tilted clockwise.")]


@dataclass(frozen=True)
class DetectedFace:
    """A face in pixels of the photo as sent, with its EXIF orientation applied."""

    box: Annotated[
        tuple[float, float, float, float],
        Field(description="left, top, right, bottom, in pixels of the photo (EXIF orientation applied)."),
    ]
    landmarks: Annotated[
        tuple[tuple[float, float], ...],
        Field(description="x, y of left eye, right eye, nose, left and right mouth corner."),
    ]
    detection_score: Annotated[float, Field(description="0..1, the measured chance that this is a face.")]
    pose: FacePose
    quality: FaceQuality
    rotation: Annotated[
        int, Field(description="Degrees counter-clockwise by which the photo was turned to find the face.")
    ]
    faces_in_photo: int


@dataclass(frozen=True)
class ErrorRates:
    """The error rates measured at the threshold in use."""

    fmr: Annotated[
        float,
        Field(description="False match rate: share of impostor pairs that pass this threshold.", examples=[0.001]),
    ]
    fnmr: Annotated[
        float,
        Field(description="False non-match rate: share of genuine pairs that do not pass it.", examples=[0.05]),
    ]
    false_matches: int
    impostor_pairs: int
    genuine_pairs: int
    people: int
    interval: Annotated[
        tuple[float, float], Field(description="95 % confidence limits of `fmr`, by bootstrap over people.")
    ]
    fnmr_interval: Annotated[tuple[float, float], Field(description="95 % confidence limits of `fnmr`.")]
    fmr_worst_group: Annotated[
        float | None,
        Field(description="The highest FMR among groups of adults by sex and age; null if the bundle has no groups."),
    ]
    worst_group: Annotated[str | None, Field(description="That group.", examples=["women 60 and older"])]


@dataclass(frozen=True)
class Notice:
    """A warning about a request that succeeded."""

    code: Annotated[str, Field(examples=["low_quality"])]
    message: str


@dataclass(frozen=True)
class VerificationResult:
    verified: Annotated[bool, Field(description="True if and only if similarity >= threshold.")]
    similarity: Annotated[float, Field(description="Cosine of the two embeddings, -1..1.", examples=[0.71])]
    distance: Annotated[float, Field(description="sqrt(2 - 2 similarity), 0..2.", examples=[0.76])]
    threshold: Annotated[
        float, Field(description="Of the operating point; higher if a face is hard to recognise (see warnings).")
    ]
    probability: Annotated[
        float, Field(description="Probability that both photos show the same person, at equal prior odds.")
    ]
    operating_point: ErrorRates
    faces: tuple[DetectedFace, DetectedFace]
    warnings: Annotated[tuple[Notice, ...], Field(description="hard_to_recognize.")]
    model: ModelVersion
    timings_ms: TimingsMs


@dataclass(frozen=True)
class EnrollmentResult:
    template_id: str
    identity: str
    gallery: str
    face: DetectedFace
    warnings: Annotated[
        tuple[Notice, ...], Field(description="low_quality, hard_to_recognize, collision, outlier, other_detector.")
    ]
    model: ModelVersion
    timings_ms: TimingsMs


class Decision(StrEnum):
    """match: one identity passes the threshold, clearly ahead of the next. unknown: no identity passes. ambiguous: two
    pass, with similarities too close to choose."""

    MATCH = "match"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True)
class RankedCandidate:
    """An identity and its template that is most similar to the probe."""

    identity: str
    similarity: float
    template_id: str
    above_threshold: bool


@dataclass(frozen=True)
class IdentificationResult:
    decision: Decision
    identity: Annotated[str | None, Field(description="The identity, if the decision is match.")]
    candidates: Annotated[
        tuple[RankedCandidate, ...], Field(description="The most similar identities, whether or not they pass.")
    ]
    threshold: float
    expected_fpir: Annotated[float, Field(description="1 - (1 - FMR)^gallery_size.")]
    target_met: Annotated[
        bool, Field(description="False if this bundle cannot keep the default target at this gallery size.")
    ]
    gallery: str
    gallery_size: Annotated[int, Field(description="Templates searched.")]
    face: DetectedFace
    warnings: Annotated[
        tuple[Notice, ...],
        Field(description="unrecognizable_face (then nobody is named), hard_to_recognize, other_detector."),
    ]
    model: ModelVersion
    timings_ms: TimingsMs


@dataclass(frozen=True)
class EmbeddingResult:
    embedding: Annotated[
        tuple[float, ...],
        Field(description="A vector of unit length. Compare it only with vectors of the same encoder_id."),
    ]
    face: DetectedFace
    model: ModelVersion
    timings_ms: TimingsMs


@dataclass(frozen=True)
class DetectionResult:
    faces: Annotated[tuple[DetectedFace, ...], Field(description="Best score first; empty if there is none.")]
    width: int
    height: int
    timings_ms: TimingsMs
