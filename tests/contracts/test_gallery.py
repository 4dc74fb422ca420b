"""Every gallery must pass all of this."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import (
    EncoderMismatch,
    IdentityExists,
    KeyReused,
    NameTaken,
    UnknownGallery,
    UnknownIdentity,
    UnknownTemplate,
)
from app.gallery import open_gallery
from app.gallery.base import EnrollmentKey, Gallery, IfExists
from tests.contracts.galleries import ENCODER, enrolling, kill_after, new, vector

pytestmark = pytest.mark.anyio

Open = Callable[[], Awaitable[Gallery]]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty store."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'deep' / 'gallery.db'}"


@pytest.fixture
async def reopen(url: str) -> AsyncIterator[Open]:
    """Opens the same store again, as another process would."""
    opened: list[Gallery] = []

    async def once_more() -> Gallery:
        opened.append(await open_gallery(url))
        return opened[-1]

    yield once_more
    for gallery in opened:
        await gallery.close()


@pytest.fixture
async def gallery(reopen: Open) -> Gallery:
    return await reopen()


async def names(gallery: Gallery, seed: int, in_gallery: str = "default") -> list[str]:
    found = await gallery.search(in_gallery, vector(seed), ENCODER, 10)
    return [each.identity for each in found.candidates]


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


async def test_summaries_count(gallery: Gallery) -> None:
    await gallery.enroll(new("ada", 1, "staff"), IfExists.ADD)
    await gallery.enroll(new("ada", 2, "staff"), IfExists.ADD)
    default, staff = await gallery.galleries()
    assert default.templates == 0
    assert (staff.gallery, staff.identities, staff.templates, staff.encoder_ids) == ("staff", 1, 2, (ENCODER,))


async def test_kill_9_loses_nothing_that_was_acknowledged(url: str) -> None:
    acknowledged: list[str] = []
    for round_ in range(4):
        processes = [enrolling(url, f"{round_}{letter}-") for letter in "ab"]  # two writers at once
        moments = [random.uniform(0.0, 1.0) for _ in processes]  # another one with every run of the tests
        for process, seconds in zip(processes, moments, strict=True):
            acknowledged += await asyncio.to_thread(kill_after, process, seconds)
    assert len(acknowledged) > 20
    gallery = await open_gallery(url)
    page = await gallery.identities("default", None, 100_000)
    there = {each.identity: each for each in page.identities}
    assert set(acknowledged) <= set(there)
    assert all(len(each.templates) == 1 for each in there.values())  # nothing half-written
    found = await gallery.search("default", vector(0), ENCODER, 3)
    assert found.size == len(there)
    await gallery.close()


async def test_a_process_sees_what_another_one_enrolls_at_once(url: str) -> None:
    gallery = await open_gallery(url)
    process = enrolling(url, "p")
    assert process.stdout is not None
    try:
        for _ in range(20):
            name = (await asyncio.to_thread(process.stdout.readline)).strip()
            found = await gallery.search("default", vector(int(name[1:])), ENCODER, 1)
            assert found.candidates[0].identity == name
    finally:
        process.kill()
        process.communicate()
        await gallery.close()


# Rounds of operations on different people, which may therefore happen in any order.
PEOPLE = ("ada", "bob", "cleo")
OPERATIONS = st.sampled_from(["add", "replace", "reject", "forget", "search"])
ROUNDS = st.lists(st.dictionaries(st.sampled_from(PEOPLE), st.tuples(OPERATIONS, st.integers(0, 9))), max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=ROUNDS)
async def test_concurrent_operations_leave_what_a_plain_model_says(
    rounds: list[dict[str, tuple[str, int]]], gallery: Gallery, reopen: Open
) -> None:
    other = await reopen()
    with contextlib.suppress(UnknownGallery):
        await gallery.forget_gallery("model")
    model: dict[str, list[int]] = {}

    async def carry_out(store: Gallery, name: str, operation: str, seed: int) -> None:
        if operation == "search":
            with contextlib.suppress(UnknownGallery):
                found = await store.search("model", vector(seed), ENCODER, 5)
                assert {each.identity for each in found.candidates} <= set(PEOPLE)
        elif operation == "forget":
            try:
                await store.forget_identity("model", name)
            except (UnknownIdentity, UnknownGallery):
                assert name not in model
        else:
            try:
                await store.enroll(new(name, seed, "model"), IfExists(operation))
            except IdentityExists:
                assert operation == "reject"
                assert name in model

    for round_ in rounds:
        stores = (gallery, other) * len(PEOPLE)
        await asyncio.gather(
            *(carry_out(store, name, *what) for store, (name, what) in zip(stores, round_.items(), strict=False))
        )
        for name, (operation, seed) in round_.items():
            match operation:
                case "forget":
                    model.pop(name, None)
                case "replace":
                    model[name] = [seed]
                case "add":
                    model.setdefault(name, []).append(seed)
                case "reject":
                    model.setdefault(name, [seed])
        for store in (gallery, other):
            await agrees(store, model)


async def agrees(store: Gallery, model: dict[str, list[int]]) -> None:
    """Counts, and for each photo that the best candidate is somebody of whom it is."""
    if not model:
        with pytest.raises(UnknownGallery):
            await store.identities("model", None, 10)
        return
    page = await store.identities("model", None, 10)
    assert {each.identity: len(each.templates) for each in page.identities} == {
        name: len(seeds) for name, seeds in model.items()
    }
    for seed in {seed for seeds in model.values() for seed in seeds}:
        found = await store.search("model", vector(seed), ENCODER, 1)
        assert found.size == sum(map(len, model.values()))
        assert found.candidates[0].identity == min(name for name, seeds in model.items() if seed in seeds)
        assert found.candidates[0].similarity == pytest.approx(1.0, abs=1e-6)
