"""What a process knows of the API keys: those of its environment, and those of the store, which it reads regularly."""

import asyncio
import hmac
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from app.callers import ANONYMOUS, COMMAND_LINE, ENVIRONMENT, EVERY_SCOPE, Caller
from app.errors import FacetwinError, GalleryUnavailable, Unauthorized
from app.gallery.api_keys import ApiKey, key_digest

READ_AGAIN_S: Final = 2.0  # a key that is added or revoked is so here after that time
TRUSTED_S: Final = 30.0  # how long the keys are used if the store cannot be read
SEND: Final = "Send one of the service's keys as `Authorization: Bearer KEY`."

ListKeys = Callable[[], Awaitable[Sequence[ApiKey]]]

log = logging.getLogger("facetwin")


class KeyRing:
    """Says who calls. It never lets anybody in because it knows too little.

    A service needs keys if it listens to other machines, if its environment has keys, or if its store has ever had one.
    Once it has been seen to need them, it does so until it ends.
    """

    def __init__(
        self, fixed: Sequence[str] = (), *, required: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`fixed` are the keys of the environment, which have every scope. `required` without them needs the store."""
        self._fixed = [
            (key_digest(key.encode()), Caller(f"{ENVIRONMENT}-{number}", EVERY_SCOPE))
            for number, key in enumerate(fixed, start=1)
        ]
        self._stored: list[tuple[bytes, ApiKey]] = []
        self._clock, self._read_at = clock, -math.inf
        self.needs_key = required or bool(fixed)

    async def read(self, list_keys: ListKeys) -> None:
        """Reads the store's keys. Raises what `list_keys` raises."""
        began = self._clock()  # what changes while they are read is perhaps not seen
        keys = await list_keys()
        self._stored = [(bytes.fromhex(key.digest), key) for key in keys]
        self._read_at = began
        self.needs_key = self.needs_key or bool(keys)

    async def follow(self, list_keys: ListKeys) -> None:
        """Reads the store's keys again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(READ_AGAIN_S)
            try:
                await self.read(list_keys)
            except FacetwinError as error:
                log.warning("keys not read", extra={"reason": error.code})
            except Exception as error:  # after TRUSTED_S nobody is let in; the next attempt may succeed
                log.error("keys not read", extra={"reason": type(error).__name__})

    def caller(self, authorization: bytes) -> Caller:
        """Returns who sent this `Authorization` header.

        Raises Unauthorized, and GalleryUnavailable if the store's keys could not be read for too long.
        """
        if not self.needs_key:
            return ANONYMOUS
        scheme, _, sent = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not sent.strip():
            raise Unauthorized(SEND)
        digest = key_digest(sent.strip())
        # Compares with every key, so that the time does not depend on which one matches.
        fixed = [caller for known, caller in self._fixed if hmac.compare_digest(known, digest)]
        stored = [key for known, key in self._stored if hmac.compare_digest(known, digest)]
        if fixed:
            return fixed[0]
        if self._clock() - self._read_at > TRUSTED_S:
            raise GalleryUnavailable(stored=False)
        if not stored:
            raise Unauthorized(SEND)
        state = stored[0].state(datetime.now(UTC))
        if state != "active":
            raise Unauthorized(f"This key {'has expired' if state == 'expired' else 'was revoked'}. {SEND}")
        return Caller(stored[0].name, stored[0].scopes, stored[0].galleries)


class NoKeyRing(KeyRing):
    """For a service that only its own process can ask, so that whoever asks could open the store as well.

    Every request is the command line's, also if the store has keys.
    """

    async def read(self, list_keys: ListKeys) -> None:
        """Reads nothing."""

    def caller(self, authorization: bytes) -> Caller:
        """Returns the command line, as whoever works on the store without a service is named in the audit."""
        return Caller(COMMAND_LINE, EVERY_SCOPE)
