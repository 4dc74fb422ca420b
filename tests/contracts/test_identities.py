"""Every gallery must pass all of this: names, metadata, and requests that are sent again."""

import asyncio
from dataclasses import replace

import pytest

from app.errors import KeyReused, NameTaken, UnknownGallery, UnknownIdentity
from app.gallery.base import EnrollmentKey, Gallery, IfExists
from tests.support.galleries import ENCODER, Open, names, new, vector

pytestmark = pytest.mark.anyio


async def test_somebody_gets_another_name_and_other_metadata(gallery: Gallery, reopen: Open) -> None:
    other = await reopen()
    first = await gallery.enroll(new("ada", 1, metadata={"room": 7}), IfExists.ADD)
    second = await gallery.enroll(new("ada", 2), IfExists.ADD)
    before = await gallery.identity("default", "ada")
    renamed = await gallery.edit_identity("default", "ada", "ada lovelace", None)
    assert renamed == replace(before, identity="ada lovelace")
    assert renamed.templates == (first, second)
    for store in (gallery, other):
        assert await names(store, 1) == ["ada lovelace"]
        with pytest.raises(UnknownIdentity):
            await store.identity("default", "ada")
    assert (await gallery.edit_identity("default", "ada lovelace", None, {"room": 8})).metadata == {"room": 8}
    both = await gallery.edit_identity("default", "ada lovelace", "ada", {})
    assert (both.identity, both.metadata) == ("ada", {})
    assert await gallery.edit_identity("default", "ada", "ada", None) == both


async def test_nobody_gets_a_name_that_is_taken(gallery: Gallery) -> None:
    await gallery.enroll(new("ada", 1), IfExists.ADD)
    await gallery.enroll(new("bob", 2), IfExists.ADD)
    with pytest.raises(NameTaken, match="Merge"):
        await gallery.edit_identity("default", "ada", "bob", {"room": 7})
    assert (await gallery.identity("default", "ada")).metadata == {}
    with pytest.raises(UnknownIdentity):
        await gallery.edit_identity("default", "eve", "carol", None)
    with pytest.raises(UnknownGallery):
        await gallery.edit_identity("staff", "ada", "carol", None)


async def test_two_identities_become_one(gallery: Gallery, reopen: Open) -> None:
    other = await reopen()
    one = await gallery.enroll(new("ada", 1, metadata={"room": 7}), IfExists.ADD)
    two = await gallery.enroll(new("a. lovelace", 2, metadata={"desk": 1}), IfExists.ADD)
    merged = await gallery.merge_identity("default", "a. lovelace", "ada")
    assert (merged.identity, merged.metadata, merged.templates) == ("ada", {"room": 7}, (one, two))
    for store in (gallery, other):
        assert await names(store, 2) == ["ada"]
        assert (await store.search("default", vector(2), ENCODER, 1, only="ada")).candidates[0].similarity > 0.999
    with pytest.raises(UnknownIdentity):
        await gallery.merge_identity("default", "a. lovelace", "ada")
    with pytest.raises(UnknownIdentity):
        await gallery.merge_identity("default", "ada", "eve")
    with pytest.raises(ValueError, match="themselves"):
        await gallery.merge_identity("default", "ada", "ada")
    await gallery.forget_identity("default", "ada")
    assert (await gallery.search("default", vector(2), ENCODER, 1)).size == 0


async def test_the_same_request_again_enrolls_nobody_twice(gallery: Gallery, reopen: Open) -> None:
    other = await reopen()
    ada = replace(new("ada", 1), key=EnrollmentKey("k1", "d1"))
    template = await gallery.enroll(ada, IfExists.REJECT)
    for store in (gallery, other):
        assert await store.enroll(ada, IfExists.REJECT) == template
    assert (await gallery.search("default", vector(1), ENCODER, 5)).size == 1
    with pytest.raises(KeyReused, match="new key"):
        await gallery.enroll(replace(ada, key=EnrollmentKey("k1", "d2")), IfExists.ADD)
    elsewhere = await gallery.enroll(replace(ada, gallery="staff"), IfExists.REJECT)
    assert elsewhere.template_id != template.template_id
    await gallery.forget_identity("default", "ada")  # and with her what is known of the request
    assert (await gallery.enroll(ada, IfExists.REJECT)).template_id != template.template_id


async def test_the_same_request_twice_at_once_enrolls_once(gallery: Gallery, reopen: Open) -> None:
    other = await reopen()
    ada = replace(new("ada", 1), key=EnrollmentKey("k1", "d1"))
    answers = await asyncio.gather(*(store.enroll(ada, IfExists.ADD) for store in (gallery, other) * 5))
    assert len({each.template_id for each in answers}) == 1
    assert len((await gallery.identity("default", "ada")).templates) == 1
