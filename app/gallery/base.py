"""The gallery as the rest of the service sees it: vectors and ids in, vectors and ids out, never thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

DEFAULT_GALLERY: Final = "default"


class GalleryError(Exception):
    """The store cannot serve as a gallery: out of reach, damaged, not writable, or of a newer version."""


class IfExists(StrEnum):
    """What to do when somebody is enrolled already."""

    REJECT = "reject"
    ADD = "add"
    REPLACE = "replace"


@dataclass(frozen=True)
class EnrollmentKey:
    """What a caller names an enrolment by, so that sending it again enrolls nobody twice."""

    key: str
    digest: str  # SHA-256 of what is asked, in hex


@dataclass(frozen=True)
class NewTemplate:
    """What an enrolment brings. `metadata` None leaves that of an existing identity as it is."""

    gallery: str
    identity: str
    vector: NDArray[np.float32]  # (D,), of unit length
    encoder_id: str
    detector: str
    quality: float  # 0..1
    metadata: Mapping[str, Any] | None = None
    key: EnrollmentKey | None = None


@dataclass(frozen=True)
class Template:
    """One enrolled photo, without its vector."""

    template_id: str
    encoder_id: str
    detector: str
    quality: float
    created_at: datetime  # UTC


@dataclass(frozen=True)
class Identity:
    gallery: str
    identity: str
    metadata: Mapping[str, Any]
    created_at: datetime  # UTC
    templates: tuple[Template, ...]  # oldest first


@dataclass(frozen=True)
class Record:
    """One template with everything that is kept of it and of its identity: what travels between galleries."""

    gallery: str
    identity: str
    metadata: Mapping[str, Any]
    enrolled_at: datetime  # UTC, of the identity
    template: Template
    vector: NDArray[np.float32]  # (D,)


@dataclass(frozen=True)
class IdentityPage:
    """Identities by name; `next_after` is the `after` of the page that follows, None on the last."""

    identities: tuple[Identity, ...]
    next_after: str | None


@dataclass(frozen=True)
class GallerySummary:
    gallery: str
    identities: int
    templates: int
    encoder_ids: tuple[str, ...]
    detectors: tuple[str, ...]


@dataclass(frozen=True)
class Candidate:
    """An identity and its best template."""

    identity: str
    similarity: float  # cosine, -1..1
    template_id: str


@dataclass(frozen=True)
class SearchResult:
    """The best identities, most similar first; `size` is how many templates were searched."""

    candidates: tuple[Candidate, ...]
    size: int
    detectors: frozenset[str]


@dataclass(frozen=True)
class Receipt:
    """What an erasure removed, for good."""

    gallery: str
    identities: tuple[str, ...]
    template_ids: tuple[str, ...]
    erased_at: datetime  # UTC


class Gallery(Protocol):
    """Keeps templates. What a method has acknowledged survives a crash, and every process that shares the store sees
    it in its next answer. Vectors of different encoders never meet: EncoderMismatch."""

    async def enroll(self, new: NewTemplate, if_exists: IfExists) -> Template:
        """Where a template of the gallery carries the same key, that one, and nothing changes. Raises IdentityExists
        (REJECT), EncoderMismatch, KeyReused."""
        ...

    async def search(
        self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int, only: str | None = None
    ) -> SearchResult:
        """The `top_k` identities most similar to `vector` (D,), or `only` the one named. The default gallery always
        exists, empty at first. Raises UnknownGallery, EncoderMismatch."""
        ...

    async def identity(self, gallery: str, identity: str) -> Identity:
        """Raises UnknownGallery, UnknownIdentity."""
        ...

    async def identities(self, gallery: str, after: str | None, limit: int) -> IdentityPage:
        """Those whose name comes after `after`, at most `limit`. Raises UnknownGallery."""
        ...

    async def galleries(self) -> tuple[GallerySummary, ...]: ...

    async def edit_identity(
        self, gallery: str, identity: str, name: str | None, metadata: Mapping[str, Any] | None
    ) -> Identity:
        """Gives somebody another name, other metadata, or both; None leaves it. Raises UnknownGallery,
        UnknownIdentity, IdentityExists where the name is taken."""
        ...

    async def merge_identity(self, gallery: str, identity: str, into: str) -> Identity:
        """Makes one person of two: `into`, with the templates of both and its own metadata. Raises UnknownGallery,
        UnknownIdentity, and ValueError where both are the same."""
        ...

    async def forget_identity(self, gallery: str, identity: str) -> Receipt:
        """Raises UnknownGallery, UnknownIdentity."""
        ...

    async def forget_template(self, gallery: str, identity: str, template_id: str) -> Receipt:
        """With the last template goes the identity. Raises UnknownGallery, UnknownIdentity, UnknownTemplate."""
        ...

    async def forget_gallery(self, gallery: str) -> Receipt:
        """Everybody in it. Raises UnknownGallery."""
        ...

    async def flaws(self) -> tuple[str, ...]:
        """What is wrong with the store itself, in words; reads all of it."""
        ...

    async def records(self, after: Record | None, limit: int) -> tuple[Record, ...]:
        """Of all galleries, by gallery, identity and template id: those after `after`, at most `limit`."""
        ...

    async def restore(self, records: Sequence[Record]) -> int:
        """Keeps those that are not there yet, all or none; how many. An identity that is there keeps its metadata.
        Raises EncoderMismatch."""
        ...

    async def close(self) -> None:
        """Closing twice is no error."""
        ...
