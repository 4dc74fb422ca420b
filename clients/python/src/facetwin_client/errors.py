"""Errors, by what a caller can do about them.

ApiError
 ├─ Unreachable      no answer: wrong address, nothing listens there, or it took too long
 ├─ NotFacetwin      the answer is not a facetwin service's, or of a version that this client cannot read
 ├─ PhotoRefused     the photo: damaged, too large, no face, several faces, too poor. Send another one
 ├─ InvalidRequest   another field of the request
 ├─ NotAllowed       no key, a wrong one, or one without the right
 ├─ NotFound         no such person, template or gallery
 ├─ Conflict         the person is already enrolled, or the gallery has templates of another encoder
 ├─ Overloaded       too many requests. Send it again later
 └─ Unavailable      the service, its model or its gallery failed
"""

from collections.abc import Mapping
from typing import Final

PHOTO_CODES: Final = frozenset(
    {
        "corrupt_image",
        "empty_image",
        "image_too_large",
        "low_quality",
        "no_face_found",
        "photo_too_expensive",
        "several_faces",
        "unrecognizable_face",
        "unsupported_image",
    }
)


class ApiError(Exception):
    """The service refused a request, or did not answer.

    `status` is the HTTP status, 0 without an answer. `code` names the problem and does not change between versions.
    `detail` says what to do. `retry_after` is in seconds, None if the service does not say. `request_id` identifies the
    request in the service's log. `field` is the photo with the problem, if the request has several. `errors` has a
    `field` and a `message` for each bad field.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        retry_after: float | None = None,
        request_id: str | None = None,
        field: str | None = None,
        errors: tuple[Mapping[str, str], ...] = (),
    ) -> None:
        super().__init__(status, code, detail, retry_after, request_id, field, errors)
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after
        self.request_id, self.field, self.errors = request_id, field, errors

    def __str__(self) -> str:
        return f"{self.detail} ({self.code})"


class Unreachable(ApiError):
    pass


class NotFacetwin(ApiError):
    pass


class PhotoRefused(ApiError):
    pass


class InvalidRequest(ApiError):
    pass


class NotAllowed(ApiError):
    pass


class NotFound(ApiError):
    pass


class Conflict(ApiError):
    pass


class Overloaded(ApiError):
    pass


class Unavailable(ApiError):
    pass


BY_STATUS: Final = {401: NotAllowed, 403: NotAllowed, 404: NotFound, 409: Conflict, 429: Overloaded}


def error_class(status: int, code: str) -> type[ApiError]:
    """Returns the class of a problem. Codes of newer services are known by their status."""
    if code in PHOTO_CODES:
        return PhotoRefused
    return BY_STATUS.get(status) or (Unavailable if status >= 500 else InvalidRequest)
