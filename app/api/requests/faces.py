"""Bodies with photos."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from app.api.bodies import Photo
from app.api.requests.fields import (
    IMAGE,
    LIVENESS,
    SELECTION,
    Body,
    ConsentRef,
    Count,
    Expiry,
    GalleryName,
    IdentityName,
    Metadata,
    Quality,
    Rate,
    Text,
    UnitVector,
)
from app.gallery.base import DEFAULT_GALLERY, IfExists
from app.verification.liveness import LivenessMode
from app.verification.results import FaceChoice
from model.selection import FaceSelection

MAX_ENROLLED_PHOTOS = 10

EMBEDDING = (
    "Instead of a photo: an embedding from /embed, a vector of unit length. Nothing says how recognizable its face is, "
    "so no floor applies: look at `quality.recognizability` when you make it."
)
ENCODER_ID = (
    "With `embedding`: the `model.encoder_id` that /embed returned with it. Another encoder's is refused (409)."
)


class VerifyRequest(Body):
    image1: Photo = Field(description=IMAGE)
    image2: Photo | None = Field(None, description=f"{IMAGE} Send either this or `identity`.")
    identity: IdentityName | None = Field(
        None, description="Instead of `image2`: compare with the templates of this enrolled person.", examples=["ada"]
    )
    gallery: GalleryName | None = Field(None, description="With `identity`: where it is enrolled; default `default`.")
    target_fmr: Rate | None = Field(
        None, description="Highest false match rate to accept; default: the bundle's.", examples=[0.01]
    )
    face_selection: FaceSelection = Field(FaceSelection.LARGEST, description=SELECTION)
    liveness: LivenessMode = Field(LivenessMode.OFF, description=LIVENESS)

    @model_validator(mode="after")
    def _require_one_other(self) -> Self:
        if (self.image2 is None) == (self.identity is None):
            raise ValueError("send either `image2` or `identity`")
        if self.gallery is not None and self.identity is None:
            raise ValueError("`gallery` has a meaning only with `identity`")
        if self.identity is not None and self.gallery is None:
            self.gallery = DEFAULT_GALLERY  # so that whoever asks for the gallery learns of it, as the access rules do
        return self


class EnrollRequest(Body):
    identity: IdentityName = Field(description="Name of the person in the photo; no slashes.", examples=["ada"])
    image: Photo | None = Field(None, description=f"{IMAGE} Send either this or `images`.")
    images: Annotated[list[Photo], Field(min_length=1, max_length=MAX_ENROLLED_PHOTOS)] | None = Field(
        None,
        description="Several photos of the person: all are enrolled, or none. Together they may have as many bytes as "
        "two photos.",
    )
    gallery: GalleryName = Field(DEFAULT_GALLERY, description="Created with its first identity.")
    metadata: Metadata | None = Field(
        None, description="Your data to store with the identity: a JSON object of at most 16 KiB."
    )
    if_exists: IfExists = Field(IfExists.REJECT, description="reject (409), add a template, or replace them all.")
    face_selection: FaceSelection = Field(FaceSelection.LARGEST, description=SELECTION)
    liveness: LivenessMode = Field(LivenessMode.OFF, description=LIVENESS)
    expires_at: Expiry | None = Field(
        None,
        description="When the template expires, with a time zone. From then on it is never matched; "
        "`facetwin gallery purge` deletes it.",
        examples=["2030-01-31T00:00:00Z"],
    )
    consent_ref: ConsentRef | None = Field(
        None, description="Where the person's consent is recorded, in your words.", examples=["form 2026-117"]
    )
    min_quality: Quality = Field(0.0, description="Refuse a photo of lower quality (422 low_quality).")

    @model_validator(mode="after")
    def _require_photos(self) -> Self:
        if (self.image is None) == (self.images is None):
            raise ValueError("send either `image` or `images`")
        return self

    def photos(self) -> dict[str, bytes]:
        """The photos by the names that errors use."""
        if self.image is not None:
            return {"image": self.image}
        return {f"images.{number}": photo for number, photo in enumerate(self.images or ())}


class ProbeRequest(Body):
    """A face to look for: on a photo, or as an embedding."""

    image: Photo | None = Field(None, description=f"{IMAGE} Send either this or `embedding`.")
    embedding: UnitVector | None = Field(None, description=EMBEDDING)
    encoder_id: Text | None = Field(None, description=ENCODER_ID)
    face_selection: FaceSelection = Field(FaceSelection.LARGEST, description=SELECTION)

    @model_validator(mode="after")
    def _require_one_probe(self) -> Self:
        if (self.image is None) == (self.embedding is None):
            raise ValueError("send either `image` or `embedding`")
        if (self.encoder_id is None) != (self.embedding is None):
            raise ValueError("send `embedding` and `encoder_id` together")
        return self


class IdentifyRequest(ProbeRequest):
    gallery: GalleryName = Field(DEFAULT_GALLERY, description="The gallery to search.")
    top_k: Count = Field(5, description="How many candidates to list, whether or not they pass.")
    target_fpir: Rate | None = Field(
        None,
        description="Highest false positive identification rate to accept: the share of searches for people who are "
        "not enrolled that return a match. Default 0.01, or the lowest attainable with `target_met` false.",
        examples=[0.1],
    )
    faces: FaceChoice = Field(
        FaceChoice.SELECTED,
        description="`all` identifies everybody on the photo, at most 32 faces, the largest first.",
    )
    liveness: LivenessMode = Field(LivenessMode.OFF, description=LIVENESS)

    @model_validator(mode="after")
    def _require_photo_of_all(self) -> Self:
        if self.faces is FaceChoice.ALL and self.image is None:
            raise ValueError("`faces=all` needs a photo")
        if self.liveness is not LivenessMode.OFF and self.image is None:
            raise ValueError("`liveness` needs a photo: nothing can be seen in an embedding")
        return self


class EmbedRequest(Body):
    image: Photo = Field(description=IMAGE)
    face_selection: FaceSelection = Field(FaceSelection.LARGEST, description=SELECTION)


class DetectRequest(Body):
    image: Photo = Field(description=IMAGE)
    liveness: LivenessMode = Field(LivenessMode.OFF, description=LIVENESS)
