"""Bodies that change identities."""

from typing import Self

from pydantic import Field, model_validator

from app.api.requests.faces import ProbeRequest
from app.api.requests.fields import Body, GalleryName, IdentityName, Metadata
from app.gallery.base import DEFAULT_GALLERY


class EditRequest(Body):
    identity: IdentityName | None = Field(None, description="The new name.", examples=["ada lovelace"])
    metadata: Metadata | None = Field(None, description="Replaces all stored metadata.")

    @model_validator(mode="after")
    def _require_change(self) -> Self:
        if self.identity is None and self.metadata is None:
            raise ValueError("send a new name as `identity`, new `metadata`, or both")
        return self


class MergeRequest(Body):
    into: IdentityName = Field(description="The identity that stays, with the templates of both.", examples=["ada"])


class RejectRequest(ProbeRequest):
    """A face that is not the identity's."""

    identity: IdentityName = Field(description="The enrolled person that the face is not.", examples=["ada"])
    gallery: GalleryName = Field(DEFAULT_GALLERY, description="Where the person is enrolled.")
