"""What goes in and what comes out, as OpenAPI shows it."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.answers import Decision
from app.api.bodies import JsonObject, Photo
from app.gallery.base import DEFAULT_GALLERY, IfExists
from model.selection import FaceSelection

GALLERY_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"
GalleryName = Annotated[str, StringConstraints(pattern=GALLERY_PATTERN)]
# A name is part of a path, and is shown: no slash, no control characters.
IdentityName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^/\x00-\x1f\x7f]+$")
]
Rate = Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)]

IMAGE = "A photo: JPEG, PNG, WebP, BMP, TIFF, GIF or HEIC."
SELECTION = "Which face of a photo of several: the largest, the most central, or refuse the photo (single)."


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")  # a misspelt option must not be ignored


class VerifyRequest(_Request):
    image1: Photo = Field(description=IMAGE)
    image2: Photo = Field(description=IMAGE)
    target_fmr: Rate | None = Field(
        None, description="Highest false match rate to accept; default: the bundle's.", examples=[0.01]
    )
    face_selection: FaceSelection = Field(FaceSelection.LARGEST, description=SELECTION)


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(repr(value)) > 16_384:
        raise ValueError("has more than 16 KiB")
    return value


Metadata = Annotated[JsonObject, AfterValidator(_small)]


class EnrollRequest(_Request):
    identity: IdentityName = Field(description="Whom the photo shows; without slashes.", examples=["ada"])
    image: Photo = Field(description=IMAGE)
    gallery: GalleryName = Field(DEFAULT_GALLERY, description="Comes into being with its first identity.")
    metadata: Metadata | None = Field(
        None, description="Anything of yours to keep with the identity: a JSON object, at most 16 KiB."
    )
    if_exists: IfExists = Field(IfExists.REJECT, description="reject (409), add a template, or replace them all.")
    face_selection: FaceSelection = Field(FaceSelection.LARGEST, description=SELECTION)
    min_quality: float = Field(
        0.0, ge=0, le=1, allow_inf_nan=False, description="Refuse a photo of lower quality (422 low_quality)."
    )


class IdentifyRequest(_Request):
    image: Photo = Field(description=IMAGE)
    gallery: GalleryName = Field(DEFAULT_GALLERY, description="Whom to search among.")
    top_k: int = Field(5, ge=1, le=100, description="How many candidates to list, whether or not they pass.")
    target_fpir: Rate | None = Field(
        None,
        description="Highest rate at which a stranger may be taken for somebody enrolled; default 0.01, or the lowest "
        "attainable with `target_met` false.",
        examples=[0.1],
    )
    face_selection: FaceSelection = Field(FaceSelection.LARGEST, description=SELECTION)


class EmbedRequest(_Request):
    image: Photo = Field(description=IMAGE)
    face_selection: FaceSelection = Field(FaceSelection.LARGEST, description=SELECTION)


class DetectRequest(_Request):
    image: Photo = Field(description=IMAGE)


class EditRequest(_Request):
    identity: IdentityName | None = Field(None, description="The new name.", examples=["ada lovelace"])
    metadata: Metadata | None = Field(None, description="Takes the place of all that was kept before.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.identity is None and self.metadata is None:
            raise ValueError("send a new name as `identity`, new `metadata`, or both")
        return self


class MergeRequest(_Request):
    into: IdentityName = Field(description="Who stays, with the templates of both.", examples=["ada"])


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, protected_namespaces=())


class QualityOut(_Answer):
    score: float = Field(description="0..1, of the worst aspect.", examples=[0.8])
    reasons: list[str] = Field(description="Every aspect that is bad, in words.")


class FaceOut(_Answer):
    box: list[float] = Field(description="left, top, right, bottom, in pixels of the photo (EXIF orientation applied).")
    landmarks: list[list[float]] = Field(description="x, y of left eye, right eye, nose, left and right mouth corner.")
    detection_score: float
    quality: QualityOut
    rotation: int = Field(description="Degrees counter-clockwise by which the photo had to be turned to find the face.")
    faces_in_photo: int


class OperatingPointOut(_Answer):
    fmr: float = Field(description="Measured share of impostor pairs that pass this threshold.", examples=[0.001])
    fnmr: float = Field(description="Measured share of genuine pairs that do not.", examples=[0.05])
    false_matches: int
    impostor_pairs: int
    genuine_pairs: int
    people: int
    interval: list[float] = Field(description="95 % limits of `fmr`, by bootstrap over people.")


class ModelOut(_Answer):
    name: str
    version: str
    encoder_id: str


class VerifyResponse(_Answer):
    verified: bool = Field(description="True if and only if similarity >= threshold.")
    similarity: float = Field(description="Cosine of the two embeddings, -1..1.", examples=[0.71])
    distance: float = Field(description="sqrt(2 - 2 similarity), 0..2.", examples=[0.76])
    threshold: float
    probability: float = Field(description="Of 'same person', where both were equally likely beforehand.")
    operating_point: OperatingPointOut
    faces: list[FaceOut]
    model: ModelOut
    timings_ms: dict[str, float] = Field(description="decode, detect, align, queue, encode.")


class WarningOut(_Answer):
    code: str = Field(examples=["low_quality"])
    message: str


class EnrollResponse(_Answer):
    template_id: str
    identity: str
    gallery: str
    face: FaceOut
    warnings: list[WarningOut] = Field(description="low_quality, collision, outlier, other_detector.")
    model: ModelOut
    timings_ms: dict[str, float]


class CandidateOut(_Answer):
    identity: str
    similarity: float
    template_id: str
    above_threshold: bool


class IdentifyResponse(_Answer):
    decision: Decision
    identity: str | None = Field(description="Who it is, where the decision is match.")
    candidates: list[CandidateOut] = Field(description="The most similar identities, whether or not they pass.")
    threshold: float
    expected_fpir: float = Field(description="1 - (1 - FMR)^gallery_size.")
    target_met: bool = Field(description="False where this bundle cannot keep the default target at this gallery size.")
    gallery: str
    gallery_size: int = Field(description="Templates searched.")
    face: FaceOut
    warnings: list[WarningOut]
    model: ModelOut
    timings_ms: dict[str, float]


class EmbedResponse(_Answer):
    embedding: list[float] = Field(description="A vector of unit length; comparable only under the same encoder_id.")
    face: FaceOut
    model: ModelOut
    timings_ms: dict[str, float]


class DetectResponse(_Answer):
    faces: list[FaceOut] = Field(description="Best score first; empty where there is none.")
    width: int
    height: int
    timings_ms: dict[str, float]


class TemplateOut(_Answer):
    template_id: str
    encoder_id: str
    detector: str
    quality: float
    created_at: datetime


class IdentityOut(_Answer):
    gallery: str
    identity: str
    metadata: dict[str, Any]
    created_at: datetime
    templates: list[TemplateOut]


class IdentitiesOut(_Answer):
    identities: list[IdentityOut]
    next_after: str | None = Field(description="Send it as `after` for the next page; null on the last.")


class GalleryOut(_Answer):
    gallery: str
    identities: int
    templates: int
    encoder_ids: list[str]
    detectors: list[str]


class GalleriesOut(_Answer):
    galleries: list[GalleryOut]


class ReceiptOut(_Answer):
    gallery: str
    identities: list[str] = Field(description="Identities that are gone.")
    template_ids: list[str] = Field(description="Templates that are gone.")
    erased_at: datetime


class Health(_Answer):
    status: str = Field(examples=["ok"])
    reasons: list[str] = Field(default_factory=list, description="Why the service is not ready.")
