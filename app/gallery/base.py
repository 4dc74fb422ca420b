"""The interface of a gallery. It stores and searches unit vectors; it knows no thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.callers import COMMAND_LINE
from app.gallery.api_keys import KeyTable
from app.gallery.audit import AuditLog
from app.gallery.rejection import NewRejection, Rejection, RejectionRecord

DEFAULT_GALLERY: Final = "default"  # always exists, even while it is empty


class GalleryError(Exception):
    """The store is unusable: unreachable, locked, full, damaged, read-only, or written by a newer version.

    The call changed nothing.
    """


class OutcomeUnknown(GalleryError):
    """The store failed while it stored the change. Only a look at the store can tell whether the change is there."""


@dataclass(frozen=True)
class GalleryLimits:
    """How long and how often a store may be used at once."""

    wait_s: float = 5.0  # for a lock, a free connection, or a new connection
    connections: int = 10  # to PostgreSQL, per process; half of them are for searches
    statement_s: float | None = None  # a statement in PostgreSQL may run that long; None means without end


class IfExists(StrEnum):
    """What to do when the identity is already enrolled."""

    REJECT = "reject"
    ADD = "add"
    REPLACE = "replace"


@dataclass(frozen=True)
class IdempotencyKey:
    """Identifies an enrollment request, so that a repeated request adds no second template."""

    key: str  # chosen by the caller
    digest: str  # SHA-256 of the request, in hex; must be equal when the key is used again


@dataclass(frozen=True)
class NewTemplate:
    """A template to be enrolled."""

    gallery: str
    identity: str
    vector: NDArray[np.float32]  # (D,), unit length
    encoder_id: str
    detector: str
    quality: float  # 0..1
    metadata: Mapping[str, Any] | None = None  # of the identity; None keeps what it has
    key: IdempotencyKey | None = None
    expires_at: datetime | None = None  # UTC
    consent_ref: str | None = None


@dataclass(frozen=True)
class Template:
    """One enrolled photo, without its vector."""

    template_id: str
    encoder_id: str
    detector: str
    quality: float
    created_at: datetime  # UTC
    expires_at: Annotated[datetime | None, Field(description="From then on it is never matched.")] = None  # UTC
    consent_ref: Annotated[str | None, Field(description="Where the person's consent is recorded.")] = None


@dataclass(frozen=True)
class Identity:
    """One person and their templates."""

    gallery: str
    identity: str
    metadata: Mapping[str, Any]
    created_at: datetime  # UTC
    templates: tuple[Template, ...]  # oldest first


@dataclass(frozen=True)
class TemplateRecord:
    """A template with its vector and its identity: everything needed to copy it to another gallery."""

    gallery: str
    identity: str
    metadata: Mapping[str, Any]
    enrolled_at: datetime  # UTC; when the identity was created
    template: Template
    vector: NDArray[np.float32]  # (D,), unit length


@dataclass(frozen=True)
class IdentityPage:
    """Some identities, ordered by name. Pass `next_after` as `after` to get the next page; it is None on the last."""

    identities: tuple[Identity, ...]
    next_after: Annotated[
        str | None, Field(description="Send it as `after` to get the next page; null on the last page.")
    ]


@dataclass(frozen=True)
class TemplatePage:
    """Some templates of one identity, ordered by id. `next_after` is None on the last page."""

    templates: tuple[Template, ...]
    next_after: Annotated[
        str | None, Field(description="Send it as `after` to get the next page; null on the last page.")
    ]


@dataclass(frozen=True)
class GallerySummary:
    """What one gallery contains."""

    gallery: str
    identities: int
    templates: int
    encoder_ids: tuple[str, ...]
    detectors: tuple[str, ...]


class Schema(StrEnum):
    """Which version of facetwin made a store's tables."""

    ABSENT = "absent"  # nobody; the service will
    OLDER = "older"  # the service will migrate them
    CURRENT = "current"


@dataclass(frozen=True)
class StoreState:
    """What a store is, without opening it as the service does."""

    schema: Schema
    galleries: tuple[GallerySummary, ...] = ()  # only of the current schema, as the number below
    active_keys: int = 0


@dataclass(frozen=True)
class Candidate:
    """An identity and its most similar template."""

    identity: str
    similarity: float  # cosine, -1..1
    template_id: str
    rejected_similarity: float | None = None  # cosine to the most similar rejection of the identity, if it has any

    @property
    def is_rejected(self) -> bool:
        """Whether a rejection is at least as similar as the template: the probe then shows the rejected person."""
        return self.rejected_similarity is not None and self.rejected_similarity >= self.similarity


@dataclass(frozen=True)
class SearchResult:
    """The most similar identities of a gallery."""

    candidates: tuple[Candidate, ...]  # most similar first
    size: int  # number of templates in the gallery
    detectors: frozenset[str]  # that found the faces of these templates


@dataclass(frozen=True)
class IdentityComparison:
    """A comparison with all templates of one identity that have not expired."""

    best: Candidate | None  # None if all templates have expired
    templates: int  # number of templates compared
    detectors: frozenset[str]  # that found the faces of these templates


@dataclass(frozen=True)
class DeletionReceipt:
    """What a deletion removed for good."""

    gallery: str
    identities: Annotated[tuple[str, ...], Field(description="Deleted identities.")]
    template_ids: Annotated[tuple[str, ...], Field(description="Deleted templates.")]
    erased_at: datetime  # UTC


@dataclass(frozen=True)
class Erasure:
    """What is left of removed names, metadata and templates in the store's own files. Backups are not looked at."""

    complete: Annotated[bool, Field(description="Nothing is left in the database's files and logs.")]
    detail: Annotated[str, Field(description="What is left, if anything, and when it goes.")]


class Gallery(Protocol):
    """A store of templates in named galleries.

    An acknowledged change survives a crash, and every process that shares the store sees it in its next answer. A
    gallery holds templates of one encoder only; mixing raises EncoderMismatch. Every method raises GalleryError if the
    store is unusable, and OutcomeUnknown, a GalleryError, if it failed in the middle of storing. A method that is
    cancelled before it has stored its change stores nothing; after that it returns as if it had not been cancelled.
    `by` is who makes a change: the store records it in its audit log, in the same transaction, if it has a secret.
    """

    async def enroll(self, new: NewTemplate, if_exists: IfExists, *, by: str = COMMAND_LINE) -> Template:
        """Adds a template. If the gallery has one with the same key, returns that one and changes nothing.

        Raises IdentityExists (with REJECT), EncoderMismatch, IdempotencyKeyReused.
        """
        ...

    async def enroll_all(
        self, new: Sequence[NewTemplate], if_exists: IfExists, *, by: str = COMMAND_LINE
    ) -> tuple[Template, ...]:
        """Adds several templates of one identity, all or none. One idempotency key covers them all.

        `new` is not empty; gallery, identity, metadata and key are those of its first. Raises what `enroll` raises.
        """
        ...

    async def search(self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int) -> SearchResult:
        """Returns the `top_k` identities most similar to the unit vector `vector` (D,).

        Expired templates are neither found nor counted. Raises UnknownGallery, EncoderMismatch.
        """
        ...

    async def compare(
        self, gallery: str, identity: str, vector: NDArray[np.float32], encoder_id: str
    ) -> IdentityComparison:
        """Compares the unit vector `vector` (D,) with the templates of one identity.

        Raises UnknownGallery, UnknownIdentity, EncoderMismatch.
        """
        ...

    async def get_identity(self, gallery: str, identity: str) -> Identity:
        """Raises UnknownGallery, UnknownIdentity."""
        ...

    async def list_identities(self, gallery: str, after: str | None, limit: int, prefix: str = "") -> IdentityPage:
        """Returns up to `limit` identities whose names sort after `after` and begin with `prefix`.

        Raises UnknownGallery.
        """
        ...

    async def list_templates(self, gallery: str, identity: str, after: str | None, limit: int) -> TemplatePage:
        """Returns up to `limit` templates whose ids sort after `after`. Raises UnknownGallery, UnknownIdentity."""
        ...

    async def add_rejection(self, new: NewRejection, *, by: str = COMMAND_LINE) -> Rejection:
        """Remembers that a face is not this identity's. The same vector again is stored once.

        It is deleted with the identity, and moves with it when that is renamed or merged. Raises UnknownGallery,
        UnknownIdentity, EncoderMismatch, TooManyRejections.
        """
        ...

    async def list_rejections(self, gallery: str, identity: str) -> tuple[Rejection, ...]:
        """Returns the identity's rejections, oldest first. Raises UnknownGallery, UnknownIdentity."""
        ...

    async def delete_rejection(self, gallery: str, identity: str, rejection_id: str, *, by: str = COMMAND_LINE) -> None:
        """Forgets a rejection. Raises UnknownGallery, UnknownIdentity, UnknownRejection."""
        ...

    async def list_galleries(self) -> tuple[GallerySummary, ...]:
        """Returns all galleries by name, the default one even if it is empty."""
        ...

    async def edit_identity(
        self,
        gallery: str,
        identity: str,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        *,
        by: str = COMMAND_LINE,
    ) -> Identity:
        """Changes the name, the metadata or both; None keeps the old value.

        Raises UnknownGallery, UnknownIdentity, NameTaken.
        """
        ...

    async def merge_identity(self, gallery: str, identity: str, into: str, *, by: str = COMMAND_LINE) -> Identity:
        """Moves all templates of `identity` to `into` and deletes `identity`. `into` keeps its metadata.

        Raises UnknownGallery, UnknownIdentity, and ValueError if both are the same.
        """
        ...

    async def delete_identity(self, gallery: str, identity: str, *, by: str = COMMAND_LINE) -> DeletionReceipt:
        """Raises UnknownGallery, UnknownIdentity."""
        ...

    async def delete_template(
        self, gallery: str, identity: str, template_id: str, *, by: str = COMMAND_LINE
    ) -> DeletionReceipt:
        """Deletes one template, and the identity with its last one.

        Raises UnknownGallery, UnknownIdentity, UnknownTemplate.
        """
        ...

    async def delete_gallery(self, gallery: str, *, by: str = COMMAND_LINE) -> DeletionReceipt:
        """Deletes everybody in a gallery. Raises UnknownGallery."""
        ...

    async def purge(
        self, expired_by: datetime, *, dry_run: bool, by: str = COMMAND_LINE
    ) -> tuple[DeletionReceipt, ...]:
        """Deletes the templates that expired by then, and identities with their last one. Returns a receipt by gallery.

        With `dry_run` it deletes nothing and returns what it would delete.
        """
        ...

    async def integrity_errors(self) -> tuple[str, ...]:
        """Reads the whole store and returns a sentence for each error in its structure."""
        ...

    async def list_records(self, after: TemplateRecord | None, limit: int) -> tuple[TemplateRecord, ...]:
        """Returns up to `limit` records of all galleries that follow `after`: by gallery, identity and template id."""
        ...

    async def import_records(self, records: Sequence[TemplateRecord], *, by: str = COMMAND_LINE) -> int:
        """Adds the records whose template ids are new, all or none, and returns their number.

        An existing identity keeps its metadata. Raises EncoderMismatch.
        """
        ...

    async def list_rejection_records(self, after: RejectionRecord | None, limit: int) -> tuple[RejectionRecord, ...]:
        """Returns up to `limit` rejections of all galleries that follow `after`: by gallery, identity and id."""
        ...

    async def import_rejections(self, records: Sequence[RejectionRecord], *, by: str = COMMAND_LINE) -> int:
        """Adds the rejections whose ids are new, all or none, and returns their number.

        Raises EncoderMismatch, UnknownGallery, UnknownIdentity.
        """
        ...

    def erasure(self) -> Erasure:
        """What is left, in the files, of what this process's deletions, replacements and edits removed."""
        ...

    async def erase_remains(self) -> Erasure:
        """Removes from the files what earlier changes of any process left there, as far as the database can."""
        ...

    async def check(self) -> None:
        """Searches nothing and changes nothing, but reads and writes. Raises GalleryError if either is impossible."""
        ...

    async def close(self) -> None:
        """Releases all resources. May be called twice."""
        ...


class Store(Gallery, Protocol):
    """Everything in one database: the galleries, the API keys and the audit log."""

    @property
    def keys(self) -> KeyTable: ...

    @property
    def audit(self) -> AuditLog: ...
