"""The contract of every gallery: enrolling, searching, listing and deleting."""

import pytest

from app.errors import (
    EncoderMismatch,
    IdentityExists,
    UnknownGallery,
    UnknownIdentity,
    UnknownTemplate,
)
from app.gallery.base import Gallery, IfExists
from tests.support.galleries import ENCODER, OpenGallery, new_template, search_names, unit_vector

pytestmark = pytest.mark.anyio


async def test_search_finds_an_enrolled_identity(gallery: Gallery) -> None:
    template = await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    await gallery.enroll(new_template("bob", 2), IfExists.REJECT)
    found = await gallery.search("default", unit_vector(1), ENCODER, 1)
    (best,) = found.candidates
    assert (best.identity, best.template_id) == ("ada", template.template_id)
    assert best.similarity == pytest.approx(1.0)
    assert found.size == 2
    assert found.detectors == {"mtcnn"}


async def test_the_default_gallery_exists_while_empty(gallery: Gallery) -> None:
    assert (await gallery.search("default", unit_vector(1), ENCODER, 5)).size == 0
    assert (await gallery.list_identities("default", None, 10)).identities == ()
    (summary,) = await gallery.list_galleries()
    assert (summary.gallery, summary.identities) == ("default", 0)


async def test_other_galleries_are_unknown_until_somebody_is_enrolled(gallery: Gallery) -> None:
    for call in (
        gallery.search("staff", unit_vector(1), ENCODER, 5),
        gallery.list_identities("staff", None, 10),
        gallery.get_identity("staff", "ada"),
        gallery.delete_identity("staff", "ada"),
        gallery.delete_gallery("staff"),
    ):
        with pytest.raises(UnknownGallery):
            await call
    await gallery.enroll(new_template("ada", 1, "staff"), IfExists.REJECT)
    assert await search_names(gallery, 1, "staff") == ["ada"]


async def test_galleries_are_separate(gallery: Gallery) -> None:
    await gallery.enroll(new_template("ada", 1, "staff"), IfExists.REJECT)
    await gallery.enroll(new_template("ada", 2, "guests"), IfExists.REJECT)
    assert (await gallery.search("staff", unit_vector(2), ENCODER, 5)).size == 1
    await gallery.delete_gallery("staff")
    assert await search_names(gallery, 2, "guests") == ["ada"]


async def test_reject_refuses_an_existing_identity(gallery: Gallery) -> None:
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    with pytest.raises(IdentityExists, match="if_exists=add"):
        await gallery.enroll(new_template("ada", 2), IfExists.REJECT)
    assert len((await gallery.get_identity("default", "ada")).templates) == 1


async def test_add_keeps_older_templates_and_replace_deletes_them(gallery: Gallery) -> None:
    await gallery.enroll(new_template("ada", 1), IfExists.ADD)
    await gallery.enroll(new_template("ada", 2), IfExists.ADD)
    assert len((await gallery.get_identity("default", "ada")).templates) == 2
    last = await gallery.enroll(new_template("ada", 3), IfExists.REPLACE)
    assert (await gallery.get_identity("default", "ada")).templates == (last,)
    assert (await gallery.search("default", unit_vector(1), ENCODER, 5)).size == 1


async def test_metadata_stays_until_it_is_replaced(gallery: Gallery) -> None:
    await gallery.enroll(new_template("ada", 1, metadata={"room": 7, "näme": ["å"]}), IfExists.REJECT)
    await gallery.enroll(new_template("ada", 2), IfExists.ADD)
    assert (await gallery.get_identity("default", "ada")).metadata == {"room": 7, "näme": ["å"]}
    await gallery.enroll(new_template("ada", 3, metadata={}), IfExists.ADD)
    assert (await gallery.get_identity("default", "ada")).metadata == {}


async def test_templates_of_two_encoders_cannot_share_a_gallery(gallery: Gallery) -> None:
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    with pytest.raises(EncoderMismatch, match="FACETWIN_BUNDLE"):
        await gallery.enroll(new_template("bob", 2, encoder_id="f" * 64), IfExists.REJECT)
    with pytest.raises(EncoderMismatch):
        await gallery.search("default", unit_vector(1), "f" * 64, 5)
    assert await search_names(gallery, 1) == ["ada"]
    await gallery.enroll(
        new_template("ada", 1, encoder_id="f" * 64), IfExists.REPLACE
    )  # no template of the old encoder is left
    assert (await gallery.search("default", unit_vector(1), "f" * 64, 5)).size == 1


async def test_identities_are_listed_in_pages_by_name(gallery: Gallery) -> None:
    for name in ("cleo", "ada", "bob", "Ärna"):
        await gallery.enroll(new_template(name, len(name)), IfExists.REJECT)
    first = await gallery.list_identities("default", None, 3)
    assert [each.identity for each in first.identities] == ["ada", "bob", "cleo"]
    second = await gallery.list_identities("default", first.next_after, 3)
    assert [each.identity for each in second.identities] == ["Ärna"]
    assert second.next_after is None


async def test_deleting_an_identity_returns_a_receipt_and_leaves_nothing(gallery: Gallery) -> None:
    one = await gallery.enroll(new_template("ada", 1), IfExists.ADD)
    two = await gallery.enroll(new_template("ada", 2), IfExists.ADD)
    await gallery.enroll(new_template("bob", 3), IfExists.ADD)
    receipt = await gallery.delete_identity("default", "ada")
    assert receipt.identities == ("ada",)
    assert set(receipt.template_ids) == {one.template_id, two.template_id}
    assert await search_names(gallery, 1) == ["bob"]
    with pytest.raises(UnknownIdentity):
        await gallery.get_identity("default", "ada")
    with pytest.raises(UnknownIdentity):
        await gallery.delete_identity("default", "ada")


async def test_deleting_the_last_template_deletes_the_identity(gallery: Gallery) -> None:
    one = await gallery.enroll(new_template("ada", 1), IfExists.ADD)
    two = await gallery.enroll(new_template("ada", 2), IfExists.ADD)
    with pytest.raises(UnknownTemplate):
        await gallery.delete_template("default", "ada", "nonesuch")
    assert (await gallery.delete_template("default", "ada", one.template_id)).identities == ()
    assert (await gallery.delete_template("default", "ada", two.template_id)).identities == ("ada",)
    with pytest.raises(UnknownIdentity):
        await gallery.get_identity("default", "ada")


async def test_everything_is_still_there_after_reopening(gallery: Gallery, reopen: OpenGallery) -> None:
    await gallery.enroll(new_template("ada", 1, metadata={"room": 7}), IfExists.REJECT)
    before = await gallery.get_identity("default", "ada")
    await gallery.close()
    again = await reopen()
    assert await again.get_identity("default", "ada") == before
    assert await search_names(again, 1) == ["ada"]


async def test_two_open_stores_see_each_others_changes_at_once(gallery: Gallery, reopen: OpenGallery) -> None:
    other = await reopen()
    for round_ in range(5):
        await gallery.enroll(new_template(f"a{round_}", round_), IfExists.REJECT)
        assert (await search_names(other, round_))[0] == f"a{round_}"
        await other.enroll(new_template(f"b{round_}", 100 + round_), IfExists.REJECT)
        assert (await search_names(gallery, 100 + round_))[0] == f"b{round_}"
        await other.delete_identity("default", f"a{round_}")
        assert f"a{round_}" not in await search_names(gallery, round_)
        assert (await gallery.search("default", unit_vector(0), ENCODER, 1)).size == round_ + 1


async def test_summaries_count_identities_and_templates(gallery: Gallery) -> None:
    await gallery.enroll(new_template("ada", 1, "staff"), IfExists.ADD)
    await gallery.enroll(new_template("ada", 2, "staff"), IfExists.ADD)
    default, staff = await gallery.list_galleries()
    assert default.templates == 0
    assert (staff.gallery, staff.identities, staff.templates, staff.encoder_ids) == ("staff", 1, 2, (ENCODER,))
