"""Errors of the service. Their messages are shown to API clients. Errors about photos are in model.errors.

FacetwinError
 ├─ MalformedRequest      a missing, unknown or invalid field
 ├─ Unauthorized          no key, or a wrong one
 ├─ Forbidden             the key may not do this, or not in this gallery
 ├─ ForeignRequest        a web page of another origin calls, or the service goes by a foreign name
 ├─ UnknownGallery
 ├─ UnknownIdentity
 ├─ UnknownTemplate
 ├─ UnknownRejection
 ├─ TemplatesExpired      every template of the identity has expired
 ├─ IdentityExists        enrolling a name that is already enrolled
 ├─ NameTaken             renaming to a name that is already enrolled
 ├─ TooManyRejections     an identity can remember no more rejections
 ├─ IdempotencyKeyReused  the key belongs to a different enrollment
 ├─ EncoderMismatch       the templates come from another encoder and cannot be compared
 ├─ EmbeddingMismatch     the caller's embedding comes from another encoder
 ├─ LowQuality            quality below the client's minimum
 ├─ RequestTooLarge       the body has too many bytes
 ├─ RequestTimeout        the body did not arrive in time
 ├─ Overloaded            the queue is full
 ├─ RateLimited           the caller has sent too many requests
 ├─ DeadlineExceeded      admitted, but not finished in time
 ├─ NotReady              the service runs but must refuse requests
 ├─ PresentationAttack    a face that is not live, where live ones are required
 ├─ LivenessUnavailable   liveness was asked for, but its networks cannot be used
 ├─ NoKeys                the service would have to refuse every call, so it does not start
 ├─ KeyNameTaken          a key of that name exists, or existed
 ├─ UnknownKey            there is no key of that name
 └─ GalleryUnavailable    the gallery's database cannot be used, or does not answer in time
"""

UNKNOWN_OUTCOME = (
    "If the request was a change, it may or may not have been stored: look, or send an enrollment again with the same "
    "Idempotency-Key."
)


class FacetwinError(Exception):
    """`code` is the stable name that clients switch on."""

    code = "error"


class MalformedRequest(FacetwinError):
    """`errors` holds a `field` and a `message` for each invalid field, never its value."""

    code = "malformed_request"

    def __init__(self, errors: list[dict[str, str]]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{error['field']}: {error['message']}" for error in errors))


class Unauthorized(FacetwinError):
    code = "unauthorized"


class Forbidden(FacetwinError):
    code = "forbidden"


class ForeignRequest(FacetwinError):
    code = "foreign_request"


class UnknownGallery(FacetwinError):
    code = "unknown_gallery"

    def __init__(self, gallery: str) -> None:
        super().__init__(
            f"The gallery {gallery!r} does not exist. A gallery is created when the first person is enrolled in it."
        )


class UnknownIdentity(FacetwinError):
    code = "unknown_identity"

    def __init__(self, gallery: str, identity: str) -> None:
        super().__init__(f"{identity!r} is not enrolled in the gallery {gallery!r}.")


class UnknownTemplate(FacetwinError):
    code = "unknown_template"

    def __init__(self, identity: str, template_id: str) -> None:
        super().__init__(f"{identity!r} has no template {template_id!r}.")


class UnknownRejection(FacetwinError):
    code = "unknown_rejection"

    def __init__(self, identity: str, rejection_id: str) -> None:
        super().__init__(f"{identity!r} has no rejection {rejection_id!r}.")


class TemplatesExpired(FacetwinError):
    code = "templates_expired"

    def __init__(self, identity: str) -> None:
        super().__init__(f"Every template of {identity!r} has expired. Enroll the person again with if_exists=replace.")


class TooManyRejections(FacetwinError):
    code = "too_many_rejections"

    def __init__(self, identity: str, most: int) -> None:
        super().__init__(
            f"{identity!r} has {most} rejections, as many as an identity may have. Delete some of them, or enroll a "
            "better photo of the person with if_exists=replace, which deletes them all."
        )


class IdentityExists(FacetwinError):
    code = "identity_exists"

    def __init__(self, gallery: str, identity: str) -> None:
        super().__init__(
            f"{identity!r} is already enrolled in the gallery {gallery!r}. Send if_exists=add to add a photo of the "
            "same person, or if_exists=replace to replace all templates."
        )


class NameTaken(FacetwinError):
    code = "identity_exists"

    def __init__(self, gallery: str, identity: str) -> None:
        super().__init__(
            f"{identity!r} is the name of another identity in the gallery {gallery!r}. Merge the two if they are the "
            "same person, or choose another name."
        )


class IdempotencyKeyReused(FacetwinError):
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for a different enrollment. Send a new key with every new enrollment."
        )


class EncoderMismatch(FacetwinError):
    code = "encoder_mismatch"

    def __init__(self, gallery: str) -> None:
        super().__init__(
            f"The gallery {gallery!r} holds templates of another encoder. They cannot be compared with this encoder's. "
            "Start the service with the bundle that made them (FACETWIN_BUNDLE), or enroll everybody again in another "
            "gallery."
        )


class EmbeddingMismatch(FacetwinError):
    code = "encoder_mismatch"

    def __init__(self) -> None:
        super().__init__(
            "The embedding comes from another encoder than this service's; the two cannot be compared. Make it again "
            "with /embed."
        )


class LowQuality(FacetwinError):
    code = "low_quality"


class RequestTooLarge(FacetwinError):
    code = "request_too_large"


class RequestTimeout(FacetwinError):
    code = "request_timeout"


class Overloaded(FacetwinError):
    """`retry_after` is in seconds."""

    code = "overloaded"

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"The service is at its limit. Try again in {retry_after} s.")


class RateLimited(Overloaded):
    code = "rate_limited"

    def __init__(self, retry_after: int, limit: str) -> None:
        super().__init__(retry_after)
        self.args = (f"This caller may send {limit}. Try again in {retry_after} s.",)


class DeadlineExceeded(FacetwinError):
    code = "deadline_exceeded"


class NotReady(FacetwinError):
    code = "not_ready"


class PresentationAttack(FacetwinError):
    """`field` is the request's field with the photo."""

    code = "presentation_attack"

    def __init__(self, field: str, score: float, threshold: float) -> None:
        self.field = field
        super().__init__(
            f"The face looks like a photo of a photo or of a screen: its liveness is {score:.3f}, below "
            f"{threshold:.3f}. "
            "Take a photo of the person with the camera, in good light."
        )


class LivenessUnavailable(FacetwinError):
    code = "liveness_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Liveness cannot be judged, and nothing is taken for live unseen: {reason}")


class NoKeys(FacetwinError):
    def __init__(self, host: str) -> None:
        super().__init__(
            f"refusing to serve biometric data on {host} without authentication. Make a key with `facetwin keys add "
            "NAME --scope ...`, or set FACETWIN_API_KEYS, or FACETWIN_ALLOW_ANONYMOUS=true if a proxy in front of the "
            "service authenticates callers"
        )


class KeyNameTaken(FacetwinError):
    def __init__(self, name: str) -> None:
        super().__init__(f"There is or was a key named {name!r}. Choose another name, so that the audit stays clear.")


class UnknownKey(FacetwinError):
    def __init__(self, name: str) -> None:
        super().__init__(f"There is no key named {name!r}. `facetwin keys list` shows all of them.")


class GalleryUnavailable(FacetwinError):
    """`stored` is False if the request changed nothing, None if nobody knows. `retry_after` is in seconds."""

    code = "gallery_unavailable"

    def __init__(self, *, stored: bool | None, retry_after: int = 5) -> None:
        self.retry_after = retry_after
        outcome = "Nothing was stored." if stored is False else UNKNOWN_OUTCOME
        super().__init__(
            f"The gallery cannot be used at present: its database is locked, full, read-only, damaged, or does not "
            f"answer. {outcome} Try again in {retry_after} s. The service's log has the reason."
        )
