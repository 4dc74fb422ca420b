"""The audit log: who did what to which person and when, without names and biometrics, as a chain (decision 25)."""

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from app.callers import COMMAND_LINE

START: Final = "0" * 64  # what the first entry has as the hash of the one before
AT_ONCE: Final = 1_000  # entries read together
SHOWN_FAULTS: Final = 20
LEAST_NUMBER: Final = -(2**31)


class Action(StrEnum):
    """What was done."""

    ENROLL = "enroll"
    REPLACE = "replace"  # older templates were deleted by an enrollment
    RENAME = "rename"
    EDIT = "edit"  # metadata
    MERGE = "merge"
    DELETE_IDENTITY = "delete_identity"
    DELETE_TEMPLATE = "delete_template"
    DELETE_GALLERY = "delete_gallery"
    PURGE = "purge"
    REJECT = "reject"  # remembered that a face is not the person's
    FORGET_REJECTION = "forget_rejection"
    IMPORT = "import"  # of templates
    IMPORT_REJECTIONS = "import_rejections"
    EXPORT = "export"
    ADD_KEY = "add_key"
    REVOKE_KEY = "revoke_key"


@dataclass(frozen=True)
class Event:
    """Something to be recorded. Names of people and galleries are in here, but not in the entry made of it."""

    action: Action
    gallery: str | None = None  # None means all galleries, or that it concerns none
    identity: str | None = None  # None means everybody in the gallery, or some of them
    into: str | None = None  # the identity's new name, or the one it was merged into
    identities: int | None = None  # how many were deleted
    templates: int | None = None  # how many were added or deleted
    key: str | None = None  # name of the API key that was added or revoked


@dataclass(frozen=True)
class Entry:
    """One line of the log, as stored."""

    number: int  # 1, 2, 3, ...
    at: str  # ISO 8601, UTC
    by: str  # name of the caller's key
    action: str
    gallery: str | None  # HMAC-SHA-256, in hex, as the next two
    identity: str | None
    into: str | None
    identities: int | None
    templates: int | None
    key: str | None
    secret_id: str  # which secret made the HMACs
    previous: str  # hash of the entry before
    hash: str = field(default="")  # of everything above


class AuditSecret:
    """The secret of a log. Without it, nobody can find a name's entries, nor write an entry that passes the check."""

    def __init__(self, secret: bytes) -> None:
        """Two keys and an id are derived from `secret`, so that none of them tells anything about the others."""
        self._names, self._chain, identifier = (
            hmac.digest(secret, f"facetwin audit {use}".encode(), "sha256") for use in ("names", "chain", "id")
        )
        self.id = identifier.hex()[:16]

    def subject(self, gallery: str, identity: str | None = None) -> str:
        """Returns what stands for a gallery, or for a person in it, in the log: 64 hex digits."""
        return hmac.digest(self._names, _encode([gallery, identity]), "sha256").hex()

    def entry(self, event: Event, by: str, at: datetime, number: int, previous: str) -> Entry:
        """Returns the entry of an event that follows the entry with the hash `previous`."""
        names = (event.identity, event.into)
        identity, into = (
            None if event.gallery is None or name is None else self.subject(event.gallery, name) for name in names
        )
        unsealed = Entry(
            number=number,
            at=at.isoformat(timespec="microseconds"),
            by=by,
            action=event.action,
            gallery=None if event.gallery is None else self.subject(event.gallery),
            identity=identity,
            into=into,
            identities=event.identities,
            templates=event.templates,
            key=event.key,
            secret_id=self.id,
            previous=previous,
        )
        return Entry(**{**vars(unsealed), "hash": self.seal(unsealed)})

    def seal(self, entry: Entry) -> str:
        """Returns the hash that the entry must have: HMAC-SHA-256 of all its other fields, in hex."""
        fields = [value for name, value in vars(entry).items() if name != "hash"]
        return hmac.digest(self._chain, _encode(fields), "sha256").hex()


class AuditLog(Protocol):
    """The log of a store. Every method raises GalleryError if the store is unusable."""

    secret: AuditSecret | None  # None means that nothing is recorded

    async def record(self, event: Event, *, by: str = COMMAND_LINE) -> None:
        """Records an event that changes nothing in the store. Does nothing without a secret."""
        ...

    async def list_entries(self, after: int, limit: int) -> Sequence[Entry]:
        """Returns up to `limit` entries with numbers above `after`, in order."""
        ...


@dataclass(frozen=True)
class ChainReport:
    """What a check of the whole log found."""

    count: int
    head: str  # hash of the last entry
    faults: tuple[str, ...]  # a sentence for each; the first twenty
    expected_at: int | None = None  # number of the entry with the expected hash


async def check_chain(log: AuditLog, secret: AuditSecret, expect: str | None = None) -> ChainReport:
    """Reads the whole log and checks every entry, and whether one has the hash `expect`.

    It cannot see that entries were removed from the end, unless `expect` is the hash of one of them or of a later one.
    """
    faults: list[str] = []
    count, last, head, expected_at = 0, 0, START, None
    position = LEAST_NUMBER  # an entry that was given a number below 1 must not be overlooked
    while entries := await log.list_entries(position, AT_ONCE):
        position = entries[-1].number
        for entry in entries:
            faults += _faults(entry, last, head, secret)
            count, last, head = count + 1, entry.number, entry.hash
            expected_at = entry.number if entry.hash == expect else expected_at
    if expect is not None and expected_at is None:
        faults.insert(0, "No entry has the expected hash: entries were removed from the end, or the log was rewritten.")
    return ChainReport(count, head, tuple(faults[:SHOWN_FAULTS]), expected_at)


def _faults(entry: Entry, last: int, head: str, secret: AuditSecret) -> list[str]:
    """What is wrong with an entry that follows the entry `last`, whose hash is `head`."""
    if entry.number <= last:
        return [f"An entry has the number {entry.number}, which no entry is ever given."]
    if entry.number > last + 1:
        one = entry.number == last + 2
        return [f"Entry {last + 1} is missing." if one else f"Entries {last + 1} to {entry.number - 1} are missing."]
    if entry.secret_id != secret.id:
        return [f"Entry {entry.number} was written with another FACETWIN_AUDIT_KEY, so it cannot be checked."]
    faults = []
    if not hmac.compare_digest(secret.seal(entry), entry.hash):
        faults.append(f"Entry {entry.number} was changed.")
    if not hmac.compare_digest(entry.previous, head):
        faults.append(f"Entry {entry.number} does not follow entry {last}: one of them was changed or replaced.")
    return faults


def _encode(values: list[object]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()
