"""The types of request fields, with their checks and what OpenAPI says of them."""

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from app.api.bodies import IsNumber, JsonList, JsonObject
from app.json_text import check_metadata
from app.names import (
    GALLERY_PATTERN,
    IDENTITY_PATTERN,
    LINE_PATTERN,
    MAX_NAME_CHARACTERS,
    TEXT_PATTERN,
    check_text,
    clean_gallery,
    clean_identity,
    clean_prefix,
)

GalleryName = Annotated[
    str, AfterValidator(clean_gallery), WithJsonSchema({"type": "string", "pattern": GALLERY_PATTERN})
]
IdentityName = Annotated[
    str,
    AfterValidator(clean_identity),
    WithJsonSchema({"type": "string", "maxLength": MAX_NAME_CHARACTERS, "pattern": IDENTITY_PATTERN}),
]
Text = Annotated[
    str,
    AfterValidator(check_text),
    StringConstraints(max_length=MAX_NAME_CHARACTERS),
    WithJsonSchema({"type": "string", "maxLength": MAX_NAME_CHARACTERS, "pattern": TEXT_PATTERN}),
]
Rate = Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False), IsNumber]
Quality = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), IsNumber]
Count = Annotated[int, Field(ge=1, le=100), IsNumber]

IMAGE = "A photo: JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC or AVIF."
LIVENESS = (
    "Whether the face is live: `report` says so in `liveness`, `require` refuses the photo of a photo or screen (422 "
    "presentation_attack). One photo cannot prove it."
)
SELECTION = "Which face to use if the photo shows several: the largest, the most central, or refuse the photo (single)."
MAX_DIMENSION = 4096  # of an embedding
MAX_LENGTH_ERROR = 1e-3  # of an embedding: numbers are rounded on their way


def _require_text(value: Any) -> Any:
    """Refuses numbers, which pydantic takes for seconds since 1970."""
    if not isinstance(value, str) or value.strip().lstrip("+-").replace(".", "").isdigit():
        raise ValueError("is not a date and time; send it as 2030-01-31T00:00:00Z")
    return value


def _in_the_future(value: datetime) -> datetime:
    if value <= datetime.now(UTC):
        raise ValueError("is in the past; send a time in the future")
    return value


def _check_unit_length(value: list[float]) -> list[float]:
    if abs(math.sqrt(math.fsum(number * number for number in value)) - 1.0) > MAX_LENGTH_ERROR:
        raise ValueError("does not have length 1; send the embedding as /embed returned it")
    return value


# Strict: no text, also in a form, where the list is JSON.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1 - MAX_LENGTH_ERROR, le=1 + MAX_LENGTH_ERROR)]
UnitVector = Annotated[
    Annotated[list[Number], Field(min_length=2, max_length=MAX_DIMENSION)],
    JsonList,
    AfterValidator(_check_unit_length),
]
Expiry = Annotated[AwareDatetime, BeforeValidator(_require_text), AfterValidator(_in_the_future)]
ConsentRef = Annotated[
    Text,
    StringConstraints(strip_whitespace=True, min_length=1),
    WithJsonSchema({"type": "string", "maxLength": MAX_NAME_CHARACTERS, "pattern": LINE_PATTERN}),
]
Metadata = Annotated[JsonObject, AfterValidator(check_metadata)]


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid")  # a misspelled option must not be ignored


InGallery = Annotated[GalleryName, Query(description="Name of the gallery.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Most entries of a page.")]
Prefix = Annotated[
    str,
    AfterValidator(clean_prefix),
    StringConstraints(max_length=MAX_NAME_CHARACTERS),
    WithJsonSchema({"type": "string", "maxLength": MAX_NAME_CHARACTERS, "pattern": TEXT_PATTERN}),
]
