"""API keys as a store keeps them: by name, with the SHA-256 of the key instead of the key.

A key is 256 random bits, so nobody finds it by trying: a slow hash, which protects what people choose, or a salt, which
hides that two chose the same, would add nothing but time to each request.
"""

import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol

from app.callers import ANONYMOUS, COMMAND_LINE, ENVIRONMENT, Scope
from app.names import InvalidName

PREFIX: Final = "ft_"  # so that programs that look for leaked secrets recognise one: ft_[A-Za-z0-9]{43}
ALPHABET: Final = string.ascii_letters + string.digits  # a double click selects all of it
CHARACTERS: Final = 43  # of 62 kinds: 256 bits
KEY_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ApiKey:
    """A key without the key itself."""

    name: str
    digest: str  # SHA-256, in hex
    scopes: frozenset[Scope]
    galleries: frozenset[str] | None  # None means any
    created_at: datetime  # UTC
    expires_at: datetime | None = None  # UTC
    revoked_at: datetime | None = None  # UTC

    def state(self, now: datetime) -> str:
        """Returns `active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class KeyTable(Protocol):
    """The keys of a store. Revoked ones stay, so that no name ever means two keys.

    Every method raises GalleryError if the store is unusable. `by` is who does it, for the audit.
    """

    async def add(self, key: ApiKey, *, by: str = COMMAND_LINE) -> None:
        """Raises KeyNameTaken."""
        ...

    async def revoke(self, name: str, *, by: str = COMMAND_LINE) -> ApiKey:
        """Returns the key as it is from now on. Revoking it again changes nothing. Raises UnknownKey."""
        ...

    async def list_all(self) -> Sequence[ApiKey]:
        """Returns all keys by name, also those that expired or were revoked."""
        ...


def generate_key() -> str:
    """Returns a new random key."""
    return PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(CHARACTERS))


def key_digest(key: bytes) -> bytes:
    """Returns what is stored and compared instead of a key."""
    return sha256(key).digest()


def clean_key_name(text: str) -> str:
    """Returns a key's name. Raises InvalidName if it is not one, or means callers that have no stored key."""
    if not KEY_NAME.fullmatch(text):
        raise InvalidName("must have 1 to 64 of the characters a-z 0-9 . _ - and begin with a letter or digit")
    if text in (ANONYMOUS.name, COMMAND_LINE) or text.startswith(f"{ENVIRONMENT}-"):
        raise InvalidName("is the name of callers that have no stored key")
    return text
