"""The contract of every store: API keys by name, as digests."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.callers import Scope
from app.errors import KeyNameTaken, UnknownKey
from app.gallery.api_keys import ApiKey, generate_key, key_digest
from app.gallery.base import Store
from tests.support.galleries import OpenGallery

pytestmark = pytest.mark.anyio
NOW = datetime.now(UTC)


def new_key(name: str, key: str = "", galleries: frozenset[str] | None = None) -> ApiKey:
    digest = key_digest((key or generate_key()).encode()).hex()
    return ApiKey(name, digest, frozenset({Scope.READ, Scope.VERIFY}), galleries, NOW, NOW + timedelta(days=1))


async def test_a_key_is_found_again_as_it_was_by_every_process(gallery: Store, reopen: OpenGallery) -> None:
    other = await reopen()
    assert await gallery.keys.list_all() == ()
    keys = (new_key("a", galleries=frozenset({"x", "y"})), new_key("b"))
    for key in reversed(keys):
        await gallery.keys.add(key)
    assert await other.keys.list_all() == keys


async def test_a_revoked_key_stays_and_its_name_is_never_used_again(gallery: Store, reopen: OpenGallery) -> None:
    other = await reopen()
    await gallery.keys.add(new_key("a"))
    revoked = await gallery.keys.revoke("a")
    assert revoked.state(datetime.now(UTC)) == "revoked"
    assert await other.keys.revoke("a") == revoked
    assert await other.keys.list_all() == (revoked,)
    with pytest.raises(KeyNameTaken):
        await gallery.keys.add(new_key("a"))
    with pytest.raises(UnknownKey):
        await gallery.keys.revoke("b")


async def test_of_two_processes_that_add_the_same_name_at_once_one_is_refused(
    gallery: Store, reopen: OpenGallery
) -> None:
    other = await reopen()
    results = await asyncio.gather(
        *(store.keys.add(new_key("a")) for store in (gallery, other)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in results) == ["KeyNameTaken", "NoneType"]


async def test_the_key_itself_is_not_stored(gallery: Store, tmp_path: Path) -> None:
    key = generate_key()
    await gallery.keys.add(new_key("a", key))
    files = [path.read_bytes() for path in tmp_path.rglob("gallery.db*")]
    assert all(key.encode() not in content for content in files)
    (stored,) = await gallery.keys.list_all()
    assert stored.digest == key_digest(key.encode()).hex()
