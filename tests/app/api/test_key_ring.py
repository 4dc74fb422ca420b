"""What a process knows of the keys, and that it lets nobody in because it knows too little."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from app.api import key_ring
from app.api.key_ring import TRUSTED_S, KeyRing
from app.callers import ANONYMOUS, Scope
from app.errors import GalleryUnavailable, Unauthorized
from app.gallery.api_keys import ApiKey, key_digest

pytestmark = pytest.mark.anyio
NOW = datetime.now(UTC)


def stored(name: str, expires_at: datetime | None = None, revoked_at: datetime | None = None) -> ApiKey:
    """A key whose text is its name and `-secret`."""
    digest = key_digest(f"{name}-secret".encode()).hex()
    return ApiKey(name, digest, frozenset({Scope.READ}), frozenset({"a"}), NOW, expires_at, revoked_at)


class Shelf:
    """Keys in a store that may fail, and a clock."""

    def __init__(self, *keys: ApiKey) -> None:
        self.keys, self.seconds, self.broken = list(keys), 0.0, False

    async def list_keys(self) -> Sequence[ApiKey]:
        if self.broken:
            raise GalleryUnavailable(stored=False)
        return tuple(self.keys)


def test_keys_of_the_environment_have_names_that_do_not_reveal_them_and_every_scope() -> None:
    ring = KeyRing(["first-key-of-many", "other-key-of-many"])
    assert ring.caller(b"Bearer first-key-of-many").name == "environment-1"
    assert ring.caller(b"bearer other-key-of-many").name == "environment-2"
    assert ring.caller(b"Bearer first-key-of-many").scopes == set(Scope)


@pytest.mark.parametrize(
    "sent", [b"", b"Bearer", b"Bearer ", b"Basic kiosk-secret", b"kiosk-secret", b"Bearer other", b"\xff"]
)
async def test_anything_but_a_key_is_refused(sent: bytes) -> None:
    shelf = Shelf(stored("kiosk"))
    ring = KeyRing()
    await ring.read(shelf.list_keys)
    with pytest.raises(Unauthorized):
        ring.caller(sent)


async def test_a_stored_key_has_its_own_name_scopes_and_galleries() -> None:
    ring = KeyRing()
    await ring.read(Shelf(stored("kiosk"), stored("door")).list_keys)
    caller = ring.caller(b"Bearer door-secret")
    assert (caller.name, caller.scopes) == ("door", frozenset({Scope.READ}))
    assert caller.galleries == frozenset({"a"})


async def test_expired_and_revoked_keys_are_refused_in_words() -> None:
    past = NOW - timedelta(seconds=1)
    ring = KeyRing()
    await ring.read(Shelf(stored("old", expires_at=past), stored("lost", revoked_at=past)).list_keys)
    with pytest.raises(Unauthorized, match="has expired"):
        ring.caller(b"Bearer old-secret")
    with pytest.raises(Unauthorized, match="was revoked"):
        ring.caller(b"Bearer lost-secret")


async def test_without_any_key_everybody_is_anonymous_until_there_was_one() -> None:
    shelf, ring = Shelf(), KeyRing()
    await ring.read(shelf.list_keys)
    assert ring.caller(b"") == ANONYMOUS
    shelf.keys = [stored("kiosk", revoked_at=NOW)]  # even a key that was revoked at once
    for _ in range(2):
        await ring.read(shelf.list_keys)
        with pytest.raises(Unauthorized):
            ring.caller(b"")
        shelf.keys = []  # and if somebody empties the table


async def test_a_service_that_needs_keys_lets_nobody_in_before_it_has_read_any() -> None:
    ring = KeyRing(required=True)
    with pytest.raises(Unauthorized):
        ring.caller(b"")
    with pytest.raises(GalleryUnavailable):
        ring.caller(b"Bearer kiosk-secret")
    await ring.read(Shelf().list_keys)
    with pytest.raises(Unauthorized):
        ring.caller(b"Bearer kiosk-secret")


async def test_keys_that_cannot_be_read_again_serve_for_a_while_and_then_nobody_is_let_in() -> None:
    shelf = Shelf(stored("kiosk"))
    ring = KeyRing(["first-key-of-many"], clock=lambda: shelf.seconds)
    await ring.read(shelf.list_keys)
    shelf.seconds = TRUSTED_S
    assert ring.caller(b"Bearer kiosk-secret").name == "kiosk"
    shelf.seconds += 0.1
    for sent in (b"Bearer kiosk-secret", b"Bearer unknown"):
        with pytest.raises(GalleryUnavailable):
            ring.caller(sent)
    assert ring.caller(b"Bearer first-key-of-many").name == "environment-1"  # it does not come from the store
    await ring.read(shelf.list_keys)
    assert ring.caller(b"Bearer kiosk-secret").name == "kiosk"


async def test_a_slow_read_is_as_old_as_its_beginning() -> None:
    shelf = Shelf(stored("kiosk"))
    ring = KeyRing(clock=lambda: shelf.seconds)

    async def list_slowly() -> Sequence[ApiKey]:
        shelf.seconds += TRUSTED_S + 1
        return shelf.keys

    await ring.read(list_slowly)
    with pytest.raises(GalleryUnavailable):
        ring.caller(b"Bearer kiosk-secret")


async def test_reading_goes_on_after_a_store_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ring, "READ_AGAIN_S", 0.01)
    shelf, ring = Shelf(stored("kiosk")), KeyRing()
    shelf.broken = True
    following = asyncio.create_task(ring.follow(shelf.list_keys))
    await asyncio.sleep(0.1)
    assert not following.done()
    shelf.broken = False
    for _ in range(500):
        if ring.needs_key:
            break
        await asyncio.sleep(0.01)
    following.cancel()
    assert ring.caller(b"Bearer kiosk-secret").name == "kiosk"
