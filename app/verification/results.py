"""What the use-cases return: frozen dataclasses, which also serve as the HTTP API's response models.

The descriptions and examples of the fields are those of /openapi.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PlainSerializer

from app.verification.detected_face import DetectedFace, numbers
from app.verification.notices import Notice


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
        tuple[float, float], numbers(2), Field(description="95 % confidence limits of `fmr`, by bootstrap over people.")
    ]
    fnmr_interval: Annotated[tuple[float, float], numbers(2), Field(description="95 % confidence limits of `fnmr`.")]
    fmr_worst_group: Annotated[
        float | None,
        Field(description="The highest FMR among groups of adults by sex and age; null if the bundle has no groups."),
    ]
    worst_group: Annotated[str | None, Field(description="That group.", examples=["women 60 and older"])]


@dataclass(frozen=True)
class VerificationResult:
    verified: Annotated[
        bool,
        Field(description="True if and only if similarity >= threshold and not `rejected`."),
    ]
    similarity: Annotated[float, Field(description="Cosine of the two embeddings, -1..1.", examples=[0.71])]
    distance: Annotated[float, Field(description="sqrt(2 - 2 similarity), 0..2.", examples=[0.76])]
    threshold: Annotated[
        float, Field(description="Of the operating point; higher if a face is hard to recognise (see warnings).")
    ]
    probability: Annotated[
        float,
        Field(
            description="Probability that both photos show the same person, at equal prior odds. Against an identity, "
            "the odds of its best template divided by the number of templates: a lower bound."
        ),
    ]
    operating_point: ErrorRates
    faces: Annotated[
        tuple[DetectedFace, ...],
        Field(min_length=1, max_length=2, description="Of image1, and of image2 if there is one."),
    ]
    warnings: Annotated[
        tuple[Notice, ...],
        Field(description="ends_early, hard_to_recognize, rejected, target_not_met, other_detector."),
    ]
    model: ModelVersion
    timings_ms: TimingsMs

    identity: Annotated[str | None, Field(description="The identity that the photo was compared with.")] = None
    gallery: Annotated[str | None, Field(description="With an identity.")] = None
    template_id: Annotated[str | None, Field(description="With an identity: its most similar template.")] = None
    templates: Annotated[int, Field(description="Templates compared; 1 for two photos.")] = 1
    expected_fmr: Annotated[
        float,
        Field(
            description="The false match rate of the whole comparison: 1 - (1 - operating_point.fmr)^templates, which "
            "is at least the measured one."
        ),
    ] = 0.0
    target_met: Annotated[
        bool, Field(description="False if the default target cannot be kept with so many templates.")
    ] = True
    rejected: Annotated[
        bool, Field(description="The face is at least as similar to a rejected one as to the best template.")
    ] = False


@dataclass(frozen=True)
class EnrolledTemplate:
    template_id: str
    face: DetectedFace


@dataclass(frozen=True)
class EnrollmentResult:
    template_id: Annotated[str, Field(description="Of the first photo.")]
    identity: str
    gallery: str
    face: Annotated[DetectedFace, Field(description="On the first photo.")]
    warnings: Annotated[
        tuple[Notice, ...],
        Field(description="ends_early, low_quality, hard_to_recognize, collision, outlier, rejected, other_detector."),
    ]
    model: ModelVersion
    timings_ms: TimingsMs
    templates: Annotated[tuple[EnrolledTemplate, ...], Field(description="One for each photo, in their order.")] = ()


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
    rejected: Annotated[
        bool, Field(description="The face is at least as similar to a rejected one of this identity: never a match.")
    ] = False


class FaceChoice(StrEnum):
    """Which faces of a photo to identify."""

    SELECTED = "selected"  # the one that face_selection names
    ALL = "all"


@dataclass(frozen=True)
class IdentifiedFace:
    """One of several faces on a photo, and whom it shows."""

    face: DetectedFace
    decision: Decision
    identity: Annotated[str | None, Field(description="The identity, if the decision is match.")]
    candidates: tuple[RankedCandidate, ...]
    threshold: float
    expected_fpir: Annotated[
        float, Field(description="Of this face alone: among F strangers on a photo, F times as many false matches.")
    ]
    target_met: bool
    operating_point: ErrorRates
    warnings: Annotated[tuple[Notice, ...], Field(description="unrecognizable_face, hard_to_recognize.")]


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
    largest_gallery: Annotated[
        int | None,
        Field(description="With how many templates, at most, the target is kept; null if with any number."),
    ]
    operating_point: Annotated[
        ErrorRates,
        Field(
            description="What was measured at the threshold. `fnmr` is the share of enrolled people missed, with one "
            "template each."
        ),
    ]
    face: Annotated[DetectedFace | None, Field(description="null for a search by embedding.")]
    warnings: Annotated[
        tuple[Notice, ...],
        Field(
            description="ends_early, unrecognizable_face (then nobody is named), hard_to_recognize, rejected, "
            "more_faces, other_detector."
        ),
    ]
    model: ModelVersion
    timings_ms: TimingsMs
    faces: Annotated[
        tuple[IdentifiedFace, ...],
        Field(
            description="With faces=all: everybody on the photo. The first is the face that face_selection chose, "
            "which all other members of the answer are about; then the largest. Otherwise empty."
        ),
    ] = ()


@dataclass(frozen=True)
class RejectionResult:
    rejection_id: str
    identity: str
    gallery: str
    face: Annotated[DetectedFace | None, Field(description="null for an embedding.")]
    model: ModelVersion
    timings_ms: TimingsMs
    warnings: Annotated[tuple[Notice, ...], Field(description="ends_early.")] = ()


@dataclass(frozen=True)
class EmbeddingResult:
    embedding: Annotated[
        tuple[float, ...],
        Field(description="A vector of unit length. Compare it only with vectors of the same encoder_id."),
    ]
    face: DetectedFace
    model: ModelVersion
    timings_ms: TimingsMs
    warnings: Annotated[tuple[Notice, ...], Field(description="ends_early.")] = ()


@dataclass(frozen=True)
class DetectionResult:
    faces: Annotated[tuple[DetectedFace, ...], Field(description="Best score first; empty if there is none.")]
    width: int
    height: int
    timings_ms: TimingsMs
    warnings: Annotated[tuple[Notice, ...], Field(description="ends_early.")] = ()
