"""A face as answers describe it. The descriptions of the fields are those of OpenAPI."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, WithJsonSchema

from model.quality import QualityCode


def numbers(count: int) -> WithJsonSchema:
    """The schema of so many numbers: many generators of clients know no tuples."""
    return WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count})


@dataclass(frozen=True)
class FaceMeasures:
    """What `quality` was computed from, beside `pose`. The numbers are not on the scale of ISO/IEC 29794-5."""

    inter_eye_distance: Annotated[float, Field(description="Pixels of the photo between the centres of the eyes.")]
    sharpness: Annotated[float, Field(description="Mean absolute Laplacian of the aligned face, in grey levels.")]
    luminance_mean: Annotated[float, Field(description="Grey levels, 0..255.")]
    luminance_variance: Annotated[float, Field(description="Squared grey levels.")]


@dataclass(frozen=True)
class FaceQuality:
    score: Annotated[float, Field(description="0..1, of the worst aspect.", examples=[0.8])]
    reasons: Annotated[tuple[str, ...], Field(description="Every aspect that is bad, in words.")]
    reason_codes: Annotated[
        tuple[QualityCode, ...],
        Field(
            description="The same aspects as codes, in the same order, named after the quality elements of "
            "ISO/IEC 29794-5 that measure the same."
        ),
    ]
    measures: FaceMeasures
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


class LivenessDecision(StrEnum):
    """live: the score reaches the threshold. attack: it does not; the face looks like a photo of a photo or screen."""

    LIVE = "live"
    ATTACK = "attack"


@dataclass(frozen=True)
class LivenessResult:
    """Whether a face was before the camera. One photo cannot prove it; the model card has the error rates."""

    score: Annotated[float, Field(description="0..1; high is live.", examples=[0.98])]
    threshold: float
    decision: LivenessDecision


@dataclass(frozen=True)
class DetectedFace:
    """A face in pixels of the photo as sent, with its EXIF orientation applied."""

    box: Annotated[
        tuple[float, float, float, float],
        numbers(4),
        Field(description="left, top, right, bottom, in pixels of the photo (EXIF orientation applied)."),
    ]
    landmarks: Annotated[
        tuple[Annotated[tuple[float, float], numbers(2)], ...],
        Field(description="x, y of left eye, right eye, nose, left and right mouth corner."),
    ]
    detection_score: Annotated[float, Field(description="0..1, the measured chance that this is a face.")]
    pose: FacePose
    quality: FaceQuality
    rotation: Annotated[
        int, Field(description="Degrees counter-clockwise by which the photo was turned to find the face.")
    ]
    faces_in_photo: int
    liveness: Annotated[LivenessResult | None, Field(description="null unless `liveness` was asked for.")] = None
