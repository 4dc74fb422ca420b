"""The contract of every gallery: pages of templates, names with a prefix, and enrollments of several templates."""

from dataclasses import replace

import pytest

from app.errors import IdempotencyKeyReused, IdentityExists, UnknownIdentity
from app.gallery.base import Gallery, IdempotencyKey, IfExists
from tests.support.galleries import ENCODER, new_template, search_names, unit_vector

pytestmark = pytest.mark.anyio


async def names(gallery: Gallery, prefix: str, after: str | None = None, limit: int = 10) -> list[str]:
    page = await gallery.list_identities("default", after, limit, prefix)
    return [each.identity for each in page.identities]


async def test_templates_come_in_pages(gallery: Gallery) -> None:
    made = {(await gallery.enroll(new_template("ada", seed), IfExists.ADD)).template_id for seed in range(5)}
    await gallery.enroll(new_template("bob", 9), IfExists.ADD)
    first = await gallery.list_templates("default", "ada", None, 3)
    assert first.next_after == first.templates[-1].template_id
    second = await gallery.list_templates("default", "ada", first.next_after, 3)
    assert second.next_after is None
    ids = [each.template_id for each in (*first.templates, *second.templates)]
    assert (set(ids), len(ids)) == (made, 5)
    with pytest.raises(UnknownIdentity):
        await gallery.list_templates("default", "eve", None, 3)


async def test_names_are_filtered_by_their_beginning(gallery: Gallery) -> None:
    everybody = ["ada", "ada b", "adb", "bob", "a%a", "\ud7ff x", "\U0010ffff z", "\u00e9va"]
    for seed, name in enumerate(everybody):
        await gallery.enroll(new_template(name, seed), IfExists.ADD)
    for prefix in ("a", "ada", "a%", "b", "\ud7ff", "\U0010ffff", "\u00e9", "x", ""):
        assert await names(gallery, prefix) == sorted(each for each in everybody if each.startswith(prefix)), prefix
    page = await gallery.list_identities("default", None, 1, "ada")
    assert page.next_after == "ada"
    assert await names(gallery, "ada", page.next_after) == ["ada b"]


async def test_several_templates_are_enrolled_all_or_none_under_one_key(gallery: Gallery) -> None:
    key = IdempotencyKey("k", "d" * 64)
    three = [replace(new_template("ada", seed), key=key) for seed in (1, 2, 3)]
    added = await gallery.enroll_all(three, IfExists.REJECT)
    assert len({each.template_id for each in added}) == 3
    assert {each.template_id for each in await gallery.enroll_all(three, IfExists.REJECT)} == {
        each.template_id for each in added
    }
    assert (await gallery.search("default", unit_vector(2), ENCODER, 1)).size == 3
    with pytest.raises(IdempotencyKeyReused):
        await gallery.enroll_all([replace(three[0], key=IdempotencyKey("k", "e" * 64))], IfExists.ADD)
    with pytest.raises(IdentityExists):
        await gallery.enroll_all([new_template("ada", 4), new_template("ada", 5)], IfExists.REJECT)
    broken = [new_template("bob", 4), replace(new_template("bob", 5), quality=None)]  # type: ignore[arg-type]
    with pytest.raises(Exception, match="quality"):
        await gallery.enroll_all(broken, IfExists.REJECT)
    assert await search_names(gallery, 4) == ["ada"]
    with pytest.raises(UnknownIdentity):
        await gallery.get_identity("default", "bob")
