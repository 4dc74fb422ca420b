"""The contract of every gallery behind its guard: faults of the database are answered in time, as what they are."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from app.errors import GalleryUnavailable, Overloaded, UnknownIdentity
from app.gallery import open_gallery
from app.gallery.base import GalleryLimits, IfExists, NewTemplate, Store
from app.gallery.guarded import GuardedGallery
from app.gallery.sqlite.gallery import SqliteGallery
from app.inference.admission import Admission
from tests.support.faults import Fault, full, locked, read_only
from tests.support.galleries import new_template, search_names

pytestmark = pytest.mark.anyio

WAIT_S = 0.3
SLACK_S = 10.0  # a busy machine may be that late


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await open_gallery(url, GalleryLimits(wait_s=WAIT_S, connections=4, statement_s=20))
    await opened.enroll(new_template("ada", 1), IfExists.REJECT)
    yield opened
    await opened.close()


@pytest.fixture
def guarded(store: Store) -> GuardedGallery:
    return GuardedGallery(store, max_calls=4, wait_s=WAIT_S, deadline_s=20)


def large_template(identity: str) -> NewTemplate:
    """Too large for the pages that a small gallery has."""
    return replace(new_template(identity, 2), metadata={"text": "x" * 100_000})


@pytest.mark.parametrize("fault", [locked, full, read_only])
async def test_a_store_that_cannot_be_written_refuses_in_time_and_recovers(
    fault: Fault, url: str, store: Store, guarded: GuardedGallery
) -> None:
    with fault(url, store):
        began = time.monotonic()
        with pytest.raises(GalleryUnavailable, match="Nothing was stored") as refused:
            await guarded.enroll(large_template("bob"), IfExists.REJECT)
        assert refused.value.retry_after >= 1
        assert time.monotonic() - began < WAIT_S + SLACK_S
        assert await search_names(guarded, 1) == ["ada"]
        with pytest.raises(UnknownIdentity):
            await guarded.get_identity("default", "bob")
    await guarded.enroll(large_template("bob"), IfExists.REJECT)
    assert set(await search_names(guarded, 1)) == {"ada", "bob"}


async def wait_until_usable(guarded: GuardedGallery) -> None:
    """A machine without time for the check is not ready either, so this asks for a while."""
    for _ in range(30):
        if await guarded.problem() is None:
            return
        await asyncio.sleep(1.1)
    raise AssertionError("the store did not recover")


@pytest.mark.parametrize("fault", [locked, read_only])
async def test_a_check_reports_the_fault_while_it_lasts(
    fault: Fault, url: str, store: Store, guarded: GuardedGallery
) -> None:
    await wait_until_usable(guarded)
    with fault(url, store):
        await asyncio.sleep(1.1)  # the answer is kept for a second
        assert "cannot be used" in (await guarded.problem() or "")
    await wait_until_usable(guarded)


async def test_a_search_is_answered_while_others_wait_for_a_lock(
    url: str, store: Store, guarded: GuardedGallery
) -> None:
    patient = GuardedGallery(store, max_calls=4, wait_s=20, deadline_s=60)
    with locked(url, store):
        waiting = [
            asyncio.ensure_future(patient.enroll(new_template(f"w{number}", number), IfExists.REJECT))
            for number in range(4)
        ]
        await asyncio.sleep(0.05)
        with pytest.raises(Overloaded):
            await patient.enroll(new_template("one too many"), IfExists.REJECT)
        assert await search_names(guarded, 1) == ["ada"]
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_change_whose_caller_gave_up_while_it_waited_is_never_stored(url: str, store: Store) -> None:
    patient = await open_gallery(url, GalleryLimits(wait_s=20))
    with locked(url, store):
        waiting = [
            asyncio.ensure_future(patient.enroll(new_template(f"w{number}", number), IfExists.REJECT))
            for number in range(3)
        ]
        await asyncio.sleep(0.2)
        for each in waiting:
            each.cancel()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended)
    await patient.enroll(new_template("bob", 2), IfExists.REJECT)
    assert {each.identity for each in (await patient.list_identities("default", None, 9)).identities} == {"ada", "bob"}
    await patient.close()


async def test_a_request_that_has_used_its_time_gets_no_more_from_the_gallery(url: str, store: Store) -> None:
    patient = await open_gallery(url, GalleryLimits(wait_s=20))
    guarded = GuardedGallery(patient, max_calls=4, wait_s=20, deadline_s=60)
    with locked(url, store):
        began = time.monotonic()
        async with Admission(1, deadline_s=0.5).admit() as limit:
            with pytest.raises(GalleryUnavailable):
                await guarded.enroll(new_template("bob"), IfExists.REJECT)
            limit.reschedule(None)
        assert time.monotonic() - began < SLACK_S
    await patient.close()


async def test_a_long_list_or_deletion_neither_holds_up_a_search_nor_outlives_its_caller(
    url: str, store: Store, guarded: GuardedGallery
) -> None:
    sqlite = isinstance(store, SqliteGallery)
    run: Any = store._read  # type: ignore[attr-defined]
    count_for_a_minute = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500000000) SELECT count(*) FROM n"
        if sqlite
        else "SELECT pg_sleep(60)"
    )
    reading = asyncio.ensure_future(run(lambda connection: connection.exec_driver_sql(count_for_a_minute).all()))
    await asyncio.sleep(0.2)
    assert await search_names(guarded, 1) == ["ada"]
    await guarded.enroll(new_template("bob", 2), IfExists.REJECT)
    reading.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert time.monotonic() - began < SLACK_S
    await guarded.list_galleries()
