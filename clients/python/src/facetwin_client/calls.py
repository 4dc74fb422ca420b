"""Every request that the clients can send. The clients' methods have these parameters and these descriptions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeVar, cast
from urllib.parse import quote

from facetwin_client.answers import (
    DeletionReceipt,
    Detection,
    EditedIdentity,
    Embedding,
    Enrollment,
    ForgottenRejection,
    GallerySummary,
    Health,
    Identification,
    Identity,
    ModelCard,
    Page,
    Record,
    Rejection,
    RejectionReceipt,
    Template,
    Verification,
)
from facetwin_client.call import Call
from facetwin_client.json_form import Unreadable, read_answer
from facetwin_client.photos import Photo

FaceSelection = Literal["largest", "central", "single"]
IfExists = Literal["reject", "add", "replace"]
LivenessMode = Literal["off", "report", "require"]
R = TypeVar("R", bound=Record)

DEFAULT_GALLERY = "default"


def verify(
    image1: Photo,
    image2: Photo,
    *,
    target_fmr: float | None = None,
    face_selection: FaceSelection | None = None,
    liveness: LivenessMode | None = None,
) -> Call[Verification]:
    """Compares two photos: do they show the same person?

    `target_fmr` is the highest false match rate to accept. `face_selection` says which face counts if a photo has
    several; `single` refuses such a photo. `liveness` asks whether the faces look like photos of photos or screens:
    `report` says so, `require` refuses them.
    """
    photos = (("image1", image1), ("image2", image2))
    fields = {"target_fmr": target_fmr, "face_selection": face_selection, "liveness": liveness}
    return _search("/verify", Verification, photos, **fields)


def verify_identity(
    image: Photo,
    identity: str,
    *,
    gallery: str | None = None,
    target_fmr: float | None = None,
    face_selection: FaceSelection | None = None,
    liveness: LivenessMode | None = None,
) -> Call[Verification]:
    """Compares a photo with an enrolled person: is it them?"""
    fields = {
        "identity": identity,
        "gallery": gallery,
        "target_fmr": target_fmr,
        "face_selection": face_selection,
        "liveness": liveness,
    }
    return _search("/verify", Verification, (("image1", image),), **fields)


def enroll(
    identity: str,
    image: Photo | Sequence[Photo],
    *,
    gallery: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    if_exists: IfExists | None = None,
    face_selection: FaceSelection | None = None,
    liveness: LivenessMode | None = None,
    min_quality: float | None = None,
    expires_at: datetime | None = None,
    consent_ref: str | None = None,
    key: str | None = None,
) -> Call[Enrollment]:
    """Enrolls a person from one photo, or from a list of photos: all are enrolled, or none.

    With a `key`, new for every enrollment, the request may be sent again: nobody is enrolled twice. Only then does the
    client send it again itself. `expires_at` needs a time zone.
    """
    fields = {
        "identity": identity,
        "gallery": gallery,
        "metadata": metadata,
        "if_exists": if_exists,
        "face_selection": face_selection,
        "liveness": liveness,
        "min_quality": min_quality,
        "expires_at": expires_at,
        "consent_ref": consent_ref,
    }
    photos: list[tuple[str, Photo]] = (
        [("images", each) for each in image] if isinstance(image, list | tuple) else [("image", cast(Photo, image))]
    )
    return Call(
        "POST",
        "/enroll",
        partial(read_answer, Enrollment),
        photos=photos,
        fields=fields,
        headers={"Idempotency-Key": key} if key else {},
        repeatable=bool(key),
    )


def identify(
    image: Photo,
    *,
    gallery: str | None = None,
    top_k: int | None = None,
    target_fpir: float | None = None,
    face_selection: FaceSelection | None = None,
    faces: Literal["selected", "all"] | None = None,
    liveness: LivenessMode | None = None,
) -> Call[Identification]:
    """Searches a gallery for the person in a photo, or with `faces="all"` for everybody in it.

    `target_fpir` is the highest share of strangers to be taken for somebody.
    """
    fields = {"gallery": gallery, "top_k": top_k, "target_fpir": target_fpir, "face_selection": face_selection}
    return _search("/identify", Identification, (("image", image),), **fields, faces=faces, liveness=liveness)


def identify_embedding(
    embedding: Sequence[float],
    encoder_id: str,
    *,
    gallery: str | None = None,
    top_k: int | None = None,
    target_fpir: float | None = None,
) -> Call[Identification]:
    """Searches a gallery with a vector that `embed` returned, and its `model.encoder_id`."""
    fields = {"gallery": gallery, "top_k": top_k, "target_fpir": target_fpir}
    body = _probe(embedding, encoder_id, fields)
    return Call("POST", "/identify", partial(read_answer, Identification), body=body, repeatable=True)


def reject(
    identity: str, image: Photo, *, gallery: str | None = None, face_selection: FaceSelection | None = None
) -> Call[RejectionReceipt]:
    """Remembers that a photo does not show this person, so that the match is not repeated.

    The same photo again is stored once.
    """
    fields = {"identity": identity, "gallery": gallery, "face_selection": face_selection}
    return _search("/reject", RejectionReceipt, (("image", image),), **fields)


def reject_embedding(
    identity: str, embedding: Sequence[float], encoder_id: str, *, gallery: str | None = None
) -> Call[RejectionReceipt]:
    """Remembers that a vector that `embed` returned is not this person's."""
    body = _probe(embedding, encoder_id, {"identity": identity, "gallery": gallery})
    return Call("POST", "/reject", partial(read_answer, RejectionReceipt), body=body, repeatable=True)


def list_rejections(identity: str, *, gallery: str = DEFAULT_GALLERY) -> Call[tuple[Rejection, ...]]:
    """Returns the faces that were rejected as this person's, oldest first."""
    return _read(_path("identities", identity, "rejections"), partial(_list, Rejection, "rejections"), gallery=gallery)


def delete_rejection(identity: str, rejection_id: str, *, gallery: str = DEFAULT_GALLERY) -> Call[ForgottenRejection]:
    """Forgets a rejection for good."""
    return _change("DELETE", _path("identities", identity, "rejections", rejection_id), ForgottenRejection, gallery)


def embed(image: Photo, *, face_selection: FaceSelection | None = None) -> Call[Embedding]:
    """Returns the vector of one face."""
    return _search("/embed", Embedding, (("image", image),), face_selection=face_selection)


def detect(image: Photo, *, liveness: LivenessMode | None = None) -> Call[Detection]:
    """Finds every face in a photo."""
    return _search("/detect", Detection, (("image", image),), liveness=liveness)


def list_identities(
    gallery: str = DEFAULT_GALLERY, *, prefix: str | None = None, page_size: int | None = None
) -> Call[Page[Identity]]:
    """Everybody enrolled whose name begins with `prefix`, by name. The iterator asks for one page at a time."""
    read = partial(_page, Identity, "identities")
    return _read("/identities", read, gallery=gallery, prefix=prefix or None, limit=page_size)


def list_templates(
    identity: str, *, gallery: str = DEFAULT_GALLERY, page_size: int | None = None
) -> Call[Page[Template]]:
    """The templates of one person. The iterator asks for one page at a time."""
    path = _path("identities", identity, "templates")
    return _read(path, partial(_page, Template, "templates"), gallery=gallery, limit=page_size)


def get_identity(identity: str, *, gallery: str = DEFAULT_GALLERY) -> Call[Identity]:
    """Returns one person with their templates."""
    return _read(_path("identities", identity), partial(read_answer, Identity), gallery=gallery)


def edit_identity(
    identity: str,
    *,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    gallery: str = DEFAULT_GALLERY,
) -> Call[EditedIdentity]:
    """Changes a person's name, metadata or both. The new metadata replaces the old."""
    changes = {key: value for key, value in (("identity", name), ("metadata", metadata)) if value is not None}
    return _change("PATCH", _path("identities", identity), EditedIdentity, gallery, changes)


def merge_identity(identity: str, into: str, *, gallery: str = DEFAULT_GALLERY) -> Call[EditedIdentity]:
    """Moves all templates of a person to `into`, which stays, and deletes the other name."""
    return _change("POST", _path("identities", identity, "merge"), EditedIdentity, gallery, {"into": into})


def delete_identity(identity: str, *, gallery: str = DEFAULT_GALLERY) -> Call[DeletionReceipt]:
    """Deletes a person and their templates for good."""
    return _change("DELETE", _path("identities", identity), DeletionReceipt, gallery)


def delete_template(identity: str, template_id: str, *, gallery: str = DEFAULT_GALLERY) -> Call[DeletionReceipt]:
    """Deletes one template for good, and the person with the last one."""
    return _change("DELETE", _path("identities", identity, "templates", template_id), DeletionReceipt, gallery)


def list_galleries() -> Call[tuple[GallerySummary, ...]]:
    """Returns all galleries with their sizes."""
    return _read("/galleries", partial(_list, GallerySummary, "galleries"))


def delete_gallery(gallery: str) -> Call[DeletionReceipt]:
    """Deletes a gallery and everybody in it for good."""
    return _change("DELETE", _path("galleries", gallery), DeletionReceipt, None)


def get_model() -> Call[ModelCard]:
    """Returns the card of the model that serves."""
    return _read("/model", partial(read_answer, ModelCard))


def get_health() -> Call[Health]:
    """Says whether the service is ready, and if not, why."""
    return Call("GET", "/readyz", partial(read_answer, Health), repeatable=True, answers=frozenset({503}))


def _search(path: str, answer: type[R], photos: Sequence[tuple[str, Photo]], **fields: Any) -> Call[R]:
    return Call("POST", path, partial(read_answer, answer), photos=photos, fields=fields, repeatable=True)


def _read(path: str, read: Any, **query: Any) -> Call[Any]:
    return Call("GET", path, read, query=query, repeatable=True)


def _change(
    method: str, path: str, answer: type[R], gallery: str | None, body: Mapping[str, Any] | None = None
) -> Call[R]:
    return Call(method, path, partial(read_answer, answer), query={"gallery": gallery}, body=body)


def _probe(embedding: Sequence[float], encoder_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    used = {name: value for name, value in fields.items() if value is not None}
    return {"embedding": list(embedding), "encoder_id": encoder_id, **used}


def _path(*parts: str) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _list(kind: type[R], name: str, content: Any) -> tuple[R, ...]:
    if not isinstance(content, Mapping) or not isinstance(content.get(name), list):
        raise Unreadable(f"the answer has no list {name}")
    return tuple(read_answer(kind, each) for each in content[name])


def _page(kind: type[R], name: str, content: Any) -> Page[R]:
    return Page(_list(kind, name, content), content.get("next_after"))
