"""The types of request fields, with their checks and what OpenAPI says of them."""

import math
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from app.api.bodies import JsonList, JsonObject
from app.json_text import check_metadata
from app.names import (
    GALLERY_NAME,
    MAX_NAME_CHARACTERS,
    check_text,
    clean_gallery,
    clean_identity,
    clean_prefix,
)

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

IMAGE = "A photo: JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC or AVIF."
LIVENESS = (
    "Whether the face is live: `report` says so in `liveness`, `require` refuses the photo of a photo or screen (422 "
    "presentation_attack). One photo cannot prove it."
)
SELECTION = "Which face to use if the photo shows several: the largest, the most central, or refuse the photo (single)."
MAX_DIMENSION = 4096  # of an embedding
MAX_LENGTH_ERROR = 1e-3  # of an embedding: numbers are rounded on their way


def _in_the_future(value: datetime) -> datetime:
    if value <= datetime.now(UTC):
        raise ValueError("is in the past; send a time in the future")
    return value


def _check_unit_length(value: list[float]) -> list[float]:
    if abs(math.sqrt(math.fsum(number * number for number in value)) - 1.0) > MAX_LENGTH_ERROR:
        raise ValueError("does not have length 1; send the embedding as /embed returned it")
    return value


Number = Annotated[float, Field(allow_inf_nan=False, ge=-1 - MAX_LENGTH_ERROR, le=1 + MAX_LENGTH_ERROR)]
UnitVector = Annotated[
    Annotated[list[Number], Field(min_length=2, max_length=MAX_DIMENSION)],
    JsonList,
    AfterValidator(_check_unit_length),
]
Expiry = Annotated[AwareDatetime, AfterValidator(_in_the_future)]
ConsentRef = Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1)]
Metadata = Annotated[JsonObject, AfterValidator(check_metadata)]


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid")  # a misspelled option must not be ignored


InGallery = Annotated[GalleryName, Query(description="Name of the gallery.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Most entries of a page.")]
Prefix = Annotated[str, AfterValidator(clean_prefix), StringConstraints(max_length=MAX_NAME_CHARACTERS)]
