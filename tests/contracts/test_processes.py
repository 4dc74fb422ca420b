"""The contract of every gallery: several processes, some of them killed, and concurrent operations."""

import asyncio
import contextlib
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import IdentityExists, UnknownGallery, UnknownIdentity
from app.gallery import open_gallery
from app.gallery.base import Gallery, IfExists
from tests.support.galleries import ENCODER, OpenGallery, kill_after, new_template, start_enrolling, unit_vector

pytestmark = pytest.mark.anyio


async def test_killing_processes_loses_no_acknowledged_template(url: str) -> None:
    acknowledged: list[str] = []
    for round_ in range(4):
        processes = [start_enrolling(url, f"{round_}{letter}-") for letter in "ab"]  # two writers at once
        moments = [random.uniform(0.0, 1.0) for _ in processes]  # different in every run
        for process, seconds in zip(processes, moments, strict=True):
            acknowledged += await asyncio.to_thread(kill_after, process, seconds)
    assert len(acknowledged) > 20
    gallery = await open_gallery(url)
    page = await gallery.list_identities("default", None, 100_000)
    stored = {each.identity: each for each in page.identities}
    assert set(acknowledged) <= set(stored)
    assert all(len(each.templates) == 1 for each in stored.values())  # nothing half-written
    found = await gallery.search("default", unit_vector(0), ENCODER, 3)
    assert found.size == len(stored)
    await gallery.close()


async def test_a_process_sees_at_once_what_another_one_enrolls(url: str) -> None:
    gallery = await open_gallery(url)
    process = start_enrolling(url, "p")
    assert process.stdout is not None
    try:
        for _ in range(20):
            name = (await asyncio.to_thread(process.stdout.readline)).strip()
            found = await gallery.search("default", unit_vector(int(name[1:])), ENCODER, 1)
            assert found.candidates[0].identity == name
    finally:
        process.kill()
        process.communicate()
        await gallery.close()


# In one round, each operation is on a different person, so their order does not matter.
PEOPLE = ("ada", "bob", "cleo")
OPERATIONS = st.sampled_from(["add", "replace", "reject", "delete", "search"])
ROUNDS = st.lists(st.dictionaries(st.sampled_from(PEOPLE), st.tuples(OPERATIONS, st.integers(0, 9))), max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=ROUNDS)
async def test_concurrent_operations_have_the_same_result_as_a_plain_model(
    rounds: list[dict[str, tuple[str, int]]], gallery: Gallery, reopen: OpenGallery
) -> None:
    other = await reopen()
    with contextlib.suppress(UnknownGallery):
        await gallery.delete_gallery("model")
    model: dict[str, list[int]] = {}

    async def apply(store: Gallery, name: str, operation: str, seed: int) -> None:
        if operation == "search":
            with contextlib.suppress(UnknownGallery):
                found = await store.search("model", unit_vector(seed), ENCODER, 5)
                assert {each.identity for each in found.candidates} <= set(PEOPLE)
        elif operation == "delete":
            try:
                await store.delete_identity("model", name)
            except (UnknownIdentity, UnknownGallery):
                assert name not in model
        else:
            try:
                await store.enroll(new_template(name, seed, "model"), IfExists(operation))
            except IdentityExists:
                assert operation == "reject"
                assert name in model

    for round_ in rounds:
        stores = (gallery, other) * len(PEOPLE)
        await asyncio.gather(
            *(apply(store, name, *what) for store, (name, what) in zip(stores, round_.items(), strict=False))
        )
        for name, (operation, seed) in round_.items():
            match operation:
                case "delete":
                    model.pop(name, None)
                case "replace":
                    model[name] = [seed]
                case "add":
                    model.setdefault(name, []).append(seed)
                case "reject":
                    model.setdefault(name, [seed])
        for store in (gallery, other):
            await check_against(model, store)


async def check_against(model: dict[str, list[int]], store: Gallery) -> None:
    """Checks all counts, and that the best candidate for each vector is an identity that has it."""
    if not model:
        with pytest.raises(UnknownGallery):
            await store.list_identities("model", None, 10)
        return
    page = await store.list_identities("model", None, 10)
    assert {each.identity: len(each.templates) for each in page.identities} == {
        name: len(seeds) for name, seeds in model.items()
    }
    for seed in {seed for seeds in model.values() for seed in seeds}:
        found = await store.search("model", unit_vector(seed), ENCODER, 1)
        assert found.size == sum(map(len, model.values()))
        assert found.candidates[0].identity == min(name for name, seeds in model.items() if seed in seeds)
        assert found.candidates[0].similarity == pytest.approx(1.0, abs=1e-6)
