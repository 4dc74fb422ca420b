"""Every gallery must pass all of this: what it keeps, finds and erases."""

import pytest

from app.errors import (
    EncoderMismatch,
    IdentityExists,
    UnknownGallery,
    UnknownIdentity,
    UnknownTemplate,
)
from app.gallery.base import Gallery, IfExists
from tests.support.galleries import ENCODER, Open, names, new, vector

pytestmark = pytest.mark.anyio


async def test_finds_whom_it_enrolled(gallery: Gallery) -> None:
    template = await gallery.enroll(new("ada", 1), IfExists.REJECT)
    await gallery.enroll(new("bob", 2), IfExists.REJECT)
    found = await gallery.search("default", vector(1), ENCODER, 1)
    (best,) = found.candidates
    assert (best.identity, best.template_id) == ("ada", template.template_id)
    assert best.similarity == pytest.approx(1.0)
    assert found.size == 2
    assert found.detectors == {"mtcnn"}


async def test_the_default_gallery_exists_empty(gallery: Gallery) -> None:
    assert (await gallery.search("default", vector(1), ENCODER, 5)).size == 0
    assert (await gallery.identities("default", None, 10)).identities == ()
    (summary,) = await gallery.galleries()
    assert (summary.gallery, summary.identities) == ("default", 0)


async def test_other_galleries_are_unknown_until_somebody_is_enrolled(gallery: Gallery) -> None:
    for call in (
        gallery.search("staff", vector(1), ENCODER, 5),
        gallery.identities("staff", None, 10),
        gallery.identity("staff", "ada"),
        gallery.forget_identity("staff", "ada"),
        gallery.forget_gallery("staff"),
    ):
        with pytest.raises(UnknownGallery):
            await call
    await gallery.enroll(new("ada", 1, "staff"), IfExists.REJECT)
    assert await names(gallery, 1, "staff") == ["ada"]


async def test_galleries_do_not_see_each_other(gallery: Gallery) -> None:
    await gallery.enroll(new("ada", 1, "staff"), IfExists.REJECT)
    await gallery.enroll(new("ada", 2, "guests"), IfExists.REJECT)
    assert (await gallery.search("staff", vector(2), ENCODER, 5)).size == 1
    await gallery.forget_gallery("staff")
    assert await names(gallery, 2, "guests") == ["ada"]


async def test_somebody_known_is_rejected_by_default(gallery: Gallery) -> None:
    await gallery.enroll(new("ada", 1), IfExists.REJECT)
    with pytest.raises(IdentityExists, match="if_exists=add"):
        await gallery.enroll(new("ada", 2), IfExists.REJECT)
    assert len((await gallery.identity("default", "ada")).templates) == 1


async def test_add_keeps_the_old_templates_and_replace_does_not(gallery: Gallery) -> None:
    await gallery.enroll(new("ada", 1), IfExists.ADD)
    await gallery.enroll(new("ada", 2), IfExists.ADD)
    assert len((await gallery.identity("default", "ada")).templates) == 2
    last = await gallery.enroll(new("ada", 3), IfExists.REPLACE)
    assert (await gallery.identity("default", "ada")).templates == (last,)
    assert (await gallery.search("default", vector(1), ENCODER, 5)).size == 1


async def test_metadata_is_kept_until_new_metadata_comes(gallery: Gallery) -> None:
    await gallery.enroll(new("ada", 1, metadata={"room": 7, "näme": ["å"]}), IfExists.REJECT)
    await gallery.enroll(new("ada", 2), IfExists.ADD)
    assert (await gallery.identity("default", "ada")).metadata == {"room": 7, "näme": ["å"]}
    await gallery.enroll(new("ada", 3, metadata={}), IfExists.ADD)
    assert (await gallery.identity("default", "ada")).metadata == {}


async def test_templates_of_two_encoders_never_meet(gallery: Gallery) -> None:
    await gallery.enroll(new("ada", 1), IfExists.REJECT)
    with pytest.raises(EncoderMismatch, match="FACETWIN_BUNDLE"):
        await gallery.enroll(new("bob", 2, encoder_id="f" * 64), IfExists.REJECT)
    with pytest.raises(EncoderMismatch):
        await gallery.search("default", vector(1), "f" * 64, 5)
    assert await names(gallery, 1) == ["ada"]
    await gallery.enroll(new("ada", 1, encoder_id="f" * 64), IfExists.REPLACE)  # nobody of the old encoder is left
    assert (await gallery.search("default", vector(1), "f" * 64, 5)).size == 1


async def test_identities_come_page_by_page_in_order(gallery: Gallery) -> None:
    for name in ("cleo", "ada", "bob", "Ärna"):
        await gallery.enroll(new(name, len(name)), IfExists.REJECT)
    first = await gallery.identities("default", None, 3)
    assert [each.identity for each in first.identities] == ["ada", "bob", "cleo"]
    second = await gallery.identities("default", first.next_after, 3)
    assert [each.identity for each in second.identities] == ["Ärna"]
    assert second.next_after is None


async def test_forgetting_an_identity_says_what_went_and_leaves_nothing(gallery: Gallery) -> None:
    one = await gallery.enroll(new("ada", 1), IfExists.ADD)
    two = await gallery.enroll(new("ada", 2), IfExists.ADD)
    await gallery.enroll(new("bob", 3), IfExists.ADD)
    receipt = await gallery.forget_identity("default", "ada")
    assert receipt.identities == ("ada",)
    assert set(receipt.template_ids) == {one.template_id, two.template_id}
    assert await names(gallery, 1) == ["bob"]
    with pytest.raises(UnknownIdentity):
        await gallery.identity("default", "ada")
    with pytest.raises(UnknownIdentity):
        await gallery.forget_identity("default", "ada")


async def test_with_the_last_template_goes_the_identity(gallery: Gallery) -> None:
    one = await gallery.enroll(new("ada", 1), IfExists.ADD)
    two = await gallery.enroll(new("ada", 2), IfExists.ADD)
    with pytest.raises(UnknownTemplate):
        await gallery.forget_template("default", "ada", "nonesuch")
    assert (await gallery.forget_template("default", "ada", one.template_id)).identities == ()
    assert (await gallery.forget_template("default", "ada", two.template_id)).identities == ("ada",)
    with pytest.raises(UnknownIdentity):
        await gallery.identity("default", "ada")


async def test_everything_is_there_after_opening_again(gallery: Gallery, reopen: Open) -> None:
    await gallery.enroll(new("ada", 1, metadata={"room": 7}), IfExists.REJECT)
    before = await gallery.identity("default", "ada")
    await gallery.close()
    again = await reopen()
    assert await again.identity("default", "ada") == before
    assert await names(again, 1) == ["ada"]


async def test_two_openings_see_each_others_writes_in_their_next_answer(gallery: Gallery, reopen: Open) -> None:
    other = await reopen()
    for round_ in range(5):
        await gallery.enroll(new(f"a{round_}", round_), IfExists.REJECT)
        assert (await names(other, round_))[0] == f"a{round_}"
        await other.enroll(new(f"b{round_}", 100 + round_), IfExists.REJECT)
        assert (await names(gallery, 100 + round_))[0] == f"b{round_}"
        await other.forget_identity("default", f"a{round_}")
        assert f"a{round_}" not in await names(gallery, round_)
        assert (await gallery.search("default", vector(0), ENCODER, 1)).size == round_ + 1


async def test_summaries_count(gallery: Gallery) -> None:
    await gallery.enroll(new("ada", 1, "staff"), IfExists.ADD)
    await gallery.enroll(new("ada", 2, "staff"), IfExists.ADD)
    default, staff = await gallery.galleries()
    assert default.templates == 0
    assert (staff.gallery, staff.identities, staff.templates, staff.encoder_ids) == ("staff", 1, 2, (ENCODER,))
