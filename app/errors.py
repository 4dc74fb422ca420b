"""What the service can refuse, in words that a person can act on. Photos that cannot be used: see model.errors.

FacetwinError
 ├─ MalformedRequest     a missing, unknown or wrong field
 ├─ Unauthorized         no key, or a wrong one
 ├─ UnknownGallery
 ├─ UnknownIdentity
 ├─ UnknownTemplate
 ├─ IdentityExists
 ├─ NameTaken            the same, for whoever was to get the name
 ├─ KeyReused            an idempotency key that stands for another enrolment
 ├─ EncoderMismatch      templates of another encoder cannot be compared
 ├─ LowQuality           worse than the caller accepts
 ├─ Overloaded           the queue is full
 ├─ DeadlineExceeded     taken in, but not finished in time
 ├─ NotReady             the service is up but must not answer
 └─ GalleryUnavailable   the database that keeps the templates is out of reach
"""


class FacetwinError(Exception):
    """`code` is the stable name that clients switch on."""

    code = "error"


class MalformedRequest(FacetwinError):
    """`errors` names each field and what is wrong with it, never its value."""

    code = "malformed_request"

    def __init__(self, errors: list[dict[str, str]]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{error['field']}: {error['message']}" for error in errors))


class Unauthorized(FacetwinError):
    code = "unauthorized"


class UnknownGallery(FacetwinError):
    code = "unknown_gallery"

    def __init__(self, gallery: str) -> None:
        super().__init__(f"There is no gallery {gallery!r}. One comes into being when somebody is enrolled in it.")


class UnknownIdentity(FacetwinError):
    code = "unknown_identity"

    def __init__(self, gallery: str, identity: str) -> None:
        super().__init__(f"Nobody named {identity!r} is enrolled in the gallery {gallery!r}.")


class UnknownTemplate(FacetwinError):
    code = "unknown_template"

    def __init__(self, identity: str, template_id: str) -> None:
        super().__init__(f"{identity!r} has no template {template_id!r}.")


class IdentityExists(FacetwinError):
    code = "identity_exists"

    def __init__(self, gallery: str, identity: str) -> None:
        super().__init__(
            f"{identity!r} is already enrolled in the gallery {gallery!r}. Send if_exists=add for one more photo of "
            "the same person, or if_exists=replace to start again."
        )


class NameTaken(FacetwinError):
    code = "identity_exists"

    def __init__(self, gallery: str, identity: str) -> None:
        super().__init__(
            f"{identity!r} is somebody else's name in the gallery {gallery!r}. Merge the two where they are one "
            "person, or choose another name."
        )


class KeyReused(FacetwinError):
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "The Idempotency-Key stands for another enrolment, which was kept. Send a new key with every new enrolment."
        )


class EncoderMismatch(FacetwinError):
    code = "encoder_mismatch"

    def __init__(self, gallery: str) -> None:
        super().__init__(
            f"The gallery {gallery!r} holds templates of another encoder, which cannot be compared with this one's. "
            "Start the service with the bundle that made them (FACETWIN_BUNDLE), or enroll everybody anew in another "
            "gallery."
        )


class LowQuality(FacetwinError):
    code = "low_quality"


class Overloaded(FacetwinError):
    """`retry_after` in seconds."""

    code = "overloaded"

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"The service is at its limit. Try again in {retry_after} s.")


class DeadlineExceeded(FacetwinError):
    code = "deadline_exceeded"


class NotReady(FacetwinError):
    code = "not_ready"


class GalleryUnavailable(FacetwinError):
    code = "gallery_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The gallery's database is out of reach: {reason}. Try again; nothing was kept.")
