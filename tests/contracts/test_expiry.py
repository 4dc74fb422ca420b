"""The contract of every gallery: expired templates are never matched, and are purged."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.errors import UnknownGallery, UnknownIdentity
from app.gallery.base import Gallery, IfExists, NewTemplate
from tests.support.galleries import ENCODER, OpenGallery, new_template, search_names, unit_vector

pytestmark = pytest.mark.anyio


def expiring(identity: str, seed: int, seconds: float, gallery: str = "default") -> NewTemplate:
    at = datetime.now(timezone(timedelta(hours=5))) + timedelta(seconds=seconds)
    return replace(new_template(identity, seed, gallery), expires_at=at, consent_ref=f"form {seed}")


async def test_expiry_and_consent_are_kept_with_the_template(gallery: Gallery) -> None:
    new = expiring("ada", 1, 1000)
    template = await gallery.enroll(new, IfExists.REJECT)
    assert (template.expires_at, template.consent_ref) == (new.expires_at, "form 1")
    assert (await gallery.get_identity("default", "ada")).templates == (template,)
    assert (await gallery.list_records(None, 1))[0].template == template


async def test_an_expired_template_is_not_found_by_any_process(gallery: Gallery, reopen: OpenGallery) -> None:
    other = await reopen()
    await gallery.enroll(expiring("bob", 2, 1000), IfExists.REJECT)
    await gallery.enroll(new_template("ada", 3), IfExists.ADD)
    for store in (gallery, other):
        assert (await store.search("default", unit_vector(1), ENCODER, 5)).size == 2
    await gallery.enroll(expiring("ada", 1, 0.5), IfExists.ADD)
    for store in (gallery, other):
        await store.search("default", unit_vector(1), ENCODER, 5)  # it may or may not have expired
    await asyncio.sleep(0.6)
    for store in (gallery, other, await reopen()):
        found = await store.search("default", unit_vector(1), ENCODER, 5)
        assert found.size == 2
        assert max(each.similarity for each in found.candidates) < 0.99  # not ada's first photo
        own = await store.compare("default", "ada", unit_vector(1), ENCODER)
        assert own.templates == 1
        assert own.best is not None
        assert own.best.similarity < 0.99
        assert (await store.search("default", unit_vector(3), ENCODER, 1)).candidates[0].identity == "ada"


async def test_a_gallery_in_which_all_have_expired_finds_nobody(gallery: Gallery) -> None:
    await gallery.enroll(expiring("ada", 1, -5, "staff"), IfExists.REJECT)
    own = await gallery.compare("staff", "ada", unit_vector(1), ENCODER)
    assert (own.best, own.templates) == (None, 0)
    assert (await gallery.search("staff", unit_vector(1), ENCODER, 1)).size == 0
    assert await search_names(gallery, 1, "staff") == []
    with pytest.raises(UnknownGallery):
        await gallery.search("guests", unit_vector(1), ENCODER, 1)


async def test_a_purge_deletes_what_has_expired_and_a_dry_run_only_says_what(gallery: Gallery) -> None:
    old = await gallery.enroll(expiring("ada", 1, -5), IfExists.REJECT)
    await gallery.enroll(new_template("ada", 2), IfExists.ADD)
    gone = await gallery.enroll(expiring("bob", 3, -5, "staff"), IfExists.REJECT)
    later = await gallery.enroll(expiring("cleo", 4, 1000), IfExists.REJECT)
    now = datetime.now(UTC)
    planned = await gallery.purge(now, dry_run=True)
    assert [(each.gallery, each.identities, each.template_ids) for each in planned] == [
        ("default", (), (old.template_id,)),
        ("staff", ("bob",), (gone.template_id,)),
    ]
    assert len((await gallery.get_identity("default", "ada")).templates) == 2
    done = await gallery.purge(now, dry_run=False)
    assert [each.template_ids for each in done] == [each.template_ids for each in planned]
    assert await gallery.purge(now, dry_run=False) == ()
    assert len((await gallery.get_identity("default", "ada")).templates) == 1
    assert (await gallery.get_identity("default", "cleo")).templates == (later,)
    with pytest.raises((UnknownIdentity, UnknownGallery)):
        await gallery.get_identity("staff", "bob")
    assert (await gallery.search("default", unit_vector(2), ENCODER, 1)).size == 2
    assert await gallery.integrity_errors() == ()
