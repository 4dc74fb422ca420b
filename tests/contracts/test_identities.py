"""The contract of every gallery: renaming, merging, metadata and repeated requests."""

import asyncio
from dataclasses import replace

import pytest

from app.errors import IdempotencyKeyReused, NameTaken, UnknownGallery, UnknownIdentity
from app.gallery.base import Gallery, IdempotencyKey, IfExists
from tests.support.galleries import ENCODER, OpenGallery, new_template, search_names, unit_vector

pytestmark = pytest.mark.anyio


async def test_name_and_metadata_can_be_changed(gallery: Gallery, reopen: OpenGallery) -> None:
    other = await reopen()
    first = await gallery.enroll(new_template("ada", 1, metadata={"room": 7}), IfExists.ADD)
    second = await gallery.enroll(new_template("ada", 2), IfExists.ADD)
    before = await gallery.get_identity("default", "ada")
    renamed = await gallery.edit_identity("default", "ada", "ada lovelace", None)
    assert renamed == replace(before, identity="ada lovelace")
    assert renamed.templates == (first, second)
    for store in (gallery, other):
        assert await search_names(store, 1) == ["ada lovelace"]
        with pytest.raises(UnknownIdentity):
            await store.get_identity("default", "ada")
    assert (await gallery.edit_identity("default", "ada lovelace", None, {"room": 8})).metadata == {"room": 8}
    both = await gallery.edit_identity("default", "ada lovelace", "ada", {})
    assert (both.identity, both.metadata) == ("ada", {})
    assert await gallery.edit_identity("default", "ada", "ada", None) == both


async def test_a_taken_name_is_refused(gallery: Gallery) -> None:
    await gallery.enroll(new_template("ada", 1), IfExists.ADD)
    await gallery.enroll(new_template("bob", 2), IfExists.ADD)
    with pytest.raises(NameTaken, match="Merge"):
        await gallery.edit_identity("default", "ada", "bob", {"room": 7})
    assert (await gallery.get_identity("default", "ada")).metadata == {}
    with pytest.raises(UnknownIdentity):
        await gallery.edit_identity("default", "eve", "carol", None)
    with pytest.raises(UnknownGallery):
        await gallery.edit_identity("staff", "ada", "carol", None)


async def test_two_identities_can_be_merged(gallery: Gallery, reopen: OpenGallery) -> None:
    other = await reopen()
    one = await gallery.enroll(new_template("ada", 1, metadata={"room": 7}), IfExists.ADD)
    two = await gallery.enroll(new_template("a. lovelace", 2, metadata={"desk": 1}), IfExists.ADD)
    merged = await gallery.merge_identity("default", "a. lovelace", "ada")
    assert (merged.identity, merged.metadata, merged.templates) == ("ada", {"room": 7}, (one, two))
    for store in (gallery, other):
        assert await search_names(store, 2) == ["ada"]
        own = await store.compare("default", "ada", unit_vector(2), ENCODER)
        assert own.best is not None
        assert (own.best.similarity > 0.999, own.best.template_id, own.templates) == (True, two.template_id, 2)
    with pytest.raises(UnknownIdentity):
        await gallery.merge_identity("default", "a. lovelace", "ada")
    with pytest.raises(UnknownIdentity):
        await gallery.merge_identity("default", "ada", "eve")
    with pytest.raises(ValueError, match="with itself"):
        await gallery.merge_identity("default", "ada", "ada")
    await gallery.delete_identity("default", "ada")
    assert (await gallery.search("default", unit_vector(2), ENCODER, 1)).size == 0


async def test_a_repeated_request_adds_no_second_template(gallery: Gallery, reopen: OpenGallery) -> None:
    other = await reopen()
    ada = replace(new_template("ada", 1), key=IdempotencyKey("k1", "d1"))
    template = await gallery.enroll(ada, IfExists.REJECT)
    for store in (gallery, other):
        assert await store.enroll(ada, IfExists.REJECT) == template
    assert (await gallery.search("default", unit_vector(1), ENCODER, 5)).size == 1
    with pytest.raises(IdempotencyKeyReused, match="new key"):
        await gallery.enroll(replace(ada, key=IdempotencyKey("k1", "d2")), IfExists.ADD)
    elsewhere = await gallery.enroll(replace(ada, gallery="staff"), IfExists.REJECT)
    assert elsewhere.template_id != template.template_id
    await gallery.delete_identity("default", "ada")  # deletes the key too
    assert (await gallery.enroll(ada, IfExists.REJECT)).template_id != template.template_id


async def test_simultaneous_repeats_of_a_request_add_one_template(gallery: Gallery, reopen: OpenGallery) -> None:
    other = await reopen()
    ada = replace(new_template("ada", 1), key=IdempotencyKey("k1", "d1"))
    answers = await asyncio.gather(*(store.enroll(ada, IfExists.ADD) for store in (gallery, other) * 5))
    assert len({each.template_id for each in answers}) == 1
    assert len((await gallery.get_identity("default", "ada")).templates) == 1
