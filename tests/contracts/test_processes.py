"""Every gallery must pass all of this: other processes, some of them killed, and operations at the same time."""

import asyncio
import contextlib
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import IdentityExists, UnknownGallery, UnknownIdentity
from app.gallery import open_gallery
from app.gallery.base import Gallery, IfExists
from tests.support.galleries import ENCODER, Open, enrolling, kill_after, new, vector

pytestmark = pytest.mark.anyio


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
