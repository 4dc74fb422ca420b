"""Every request that the clients can send. The clients' methods have these parameters and these descriptions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from facetwin_client.answers import (
    DeletionReceipt,
    Detection,
    EditedIdentity,
    Embedding,
    Enrollment,
    GallerySummary,
    Health,
    Identification,
    Identity,
    ModelCard,
    Page,
    Record,
    Verification,
)
from facetwin_client.call import Call
from facetwin_client.json_form import Unreadable, read_answer
from facetwin_client.photos import Photo

FaceSelection = Literal["largest", "central", "single"]
IfExists = Literal["reject", "add", "replace"]
R = TypeVar("R", bound=Record)

DEFAULT_GALLERY = "default"


def verify(
    image1: Photo, image2: Photo, *, target_fmr: float | None = None, face_selection: FaceSelection | None = None
) -> Call[Verification]:
    """Compares two photos: do they show the same person?

    `target_fmr` is the highest false match rate to accept. `face_selection` says which face counts if a photo has
    several; `single` refuses such a photo.
    """
    photos = (("image1", image1), ("image2", image2))
    return _search("/verify", Verification, photos, target_fmr=target_fmr, face_selection=face_selection)


def enroll(
    identity: str,
    image: Photo,
    *,
    gallery: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    if_exists: IfExists | None = None,
    face_selection: FaceSelection | None = None,
    min_quality: float | None = None,
    expires_at: datetime | None = None,
    consent_ref: str | None = None,
    key: str | None = None,
) -> Call[Enrollment]:
    """Enrolls a person from one photo.

    With a `key`, new for every enrollment, the request may be sent again: nobody is enrolled twice. Only then does the
    client send it again itself. `expires_at` needs a time zone.
    """
    fields = {
        "identity": identity,
        "gallery": gallery,
        "metadata": metadata,
        "if_exists": if_exists,
        "face_selection": face_selection,
        "min_quality": min_quality,
        "expires_at": expires_at,
        "consent_ref": consent_ref,
    }
    return Call(
        "POST",
        "/enroll",
        partial(read_answer, Enrollment),
        photos=(("image", image),),
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
) -> Call[Identification]:
    """Searches a gallery for the person in a photo.

    `target_fpir` is the highest share of strangers to be taken for somebody.
    """
    fields = {"gallery": gallery, "top_k": top_k, "target_fpir": target_fpir, "face_selection": face_selection}
    return _search("/identify", Identification, (("image", image),), **fields)


def embed(image: Photo, *, face_selection: FaceSelection | None = None) -> Call[Embedding]:
    """Returns the vector of one face."""
    return _search("/embed", Embedding, (("image", image),), face_selection=face_selection)


def detect(image: Photo) -> Call[Detection]:
    """Finds every face in a photo."""
    return _search("/detect", Detection, (("image", image),))


def list_identities(gallery: str = DEFAULT_GALLERY, *, page_size: int | None = None) -> Call[Page[Identity]]:
    """Everybody enrolled, by name. The iterator asks for one page at a time."""
    return _read("/identities", partial(_page, Identity, "identities"), gallery=gallery, limit=page_size)


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


def _path(*parts: str) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _list(kind: type[R], name: str, content: Any) -> tuple[R, ...]:
    if not isinstance(content, Mapping) or not isinstance(content.get(name), list):
        raise Unreadable(f"the answer has no list {name}")
    return tuple(read_answer(kind, each) for each in content[name])


def _page(kind: type[R], name: str, content: Any) -> Page[R]:
    return Page(_list(kind, name, content), content.get("next_after"))
