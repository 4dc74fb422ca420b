"""Request bodies of the API, as OpenAPI shows them."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from app.api.bodies import JsonObject, Photo
from app.gallery.base import DEFAULT_GALLERY, IfExists
from app.json_text import check_metadata
from app.names import GALLERY_NAME, MAX_NAME_CHARACTERS, check_text, clean_gallery, clean_identity
from model.selection import FaceSelection

GalleryName = Annotated[
    str, AfterValidator(clean_gallery), WithJsonSchema({"type": "string", "pattern": f"^{GALLERY_NAME.pattern}$"})
]
IdentityName = Annotated[
    str,
    AfterValidator(clean_identity),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARACTERS}),
]
Text = Annotated[str, AfterValidator(check_text), StringConstraints(max_length=MAX_NAME_CHARACTERS)]
Rate = Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)]

IMAGE = "A photo: JPEG, PNG, WebP, BMP, TIFF, GIF or HEIC."
SELECTION = "Which face to use if the photo shows several: the largest, the most central, or refuse the photo (single)."


def _in_the_future(value: datetime) -> datetime:
    if value <= datetime.now(UTC):
        raise ValueError("is in the past; send a time in the future")
    return value


ConsentRef = Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1)]
Metadata = Annotated[JsonObject, AfterValidator(check_metadata)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")  # a misspelled option must not be ignored


class VerifyRequest(_Request):
    image1: Photo = Field(description=IMAGE)
    image2: Photo = Field(description=IMAGE)
    target_fmr: Rate | None = Field(
        None, description="Highest false match rate to accept; default: the bundle's.", examples=[0.01]
    )
    face_selection: FaceSelection = Field(FaceSelection.LARGEST, description=SELECTION)


class EnrollRequest(_Request):
    identity: IdentityName = Field(description="Name of the person in the photo; no slashes.", examples=["ada"])
    image: Photo = Field(description=IMAGE)
    gallery: GalleryName = Field(DEFAULT_GALLERY, description="Created with its first identity.")
    metadata: Metadata | None = Field(
        None, description="Your data to store with the identity: a JSON object of at most 16 KiB."
    )
    if_exists: IfExists = Field(IfExists.REJECT, description="reject (409), add a template, or replace them all.")
    face_selection: FaceSelection = Field(FaceSelection.LARGEST, description=SELECTION)
    expires_at: Annotated[AwareDatetime, AfterValidator(_in_the_future)] | None = Field(
        None,
        description="When the template expires, with a time zone. From then on it is never matched; "
        "`facetwin gallery purge` deletes it.",
        examples=["2030-01-31T00:00:00Z"],
    )
    consent_ref: ConsentRef | None = Field(
        None, description="Where the person's consent is recorded, in your words.", examples=["form 2026-117"]
    )
    min_quality: float = Field(
        0.0, ge=0, le=1, allow_inf_nan=False, description="Refuse a photo of lower quality (422 low_quality)."
    )


class IdentifyRequest(_Request):
    image: Photo = Field(description=IMAGE)
    gallery: GalleryName = Field(DEFAULT_GALLERY, description="The gallery to search.")
    top_k: int = Field(5, ge=1, le=100, description="How many candidates to list, whether or not they pass.")
    target_fpir: Rate | None = Field(
        None,
        description="Highest false positive identification rate to accept: the share of searches for people who are "
        "not enrolled that return a match. Default 0.01, or the lowest attainable with `target_met` false.",
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
    metadata: Metadata | None = Field(None, description="Replaces all stored metadata.")

    @model_validator(mode="after")
    def _require_change(self) -> Self:
        if self.identity is None and self.metadata is None:
            raise ValueError("send a new name as `identity`, new `metadata`, or both")
        return self


class MergeRequest(_Request):
    into: IdentityName = Field(description="The identity that stays, with the templates of both.", examples=["ada"])
