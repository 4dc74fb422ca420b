"""Faults that only a server can have."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from app.errors import GalleryUnavailable
from app.gallery.base import GalleryError, GalleryLimits, IfExists, OutcomeUnknown
from app.gallery.guarded import GuardedGallery
from app.gallery.postgres.gallery import PostgresGallery
from tests.support.galleries import new_template, search_names

pytestmark = pytest.mark.anyio

LIMITS = GalleryLimits(wait_s=0.3, connections=4, statement_s=20)
SLACK_S = 20.0  # a busy machine may be that late


async def test_a_full_pool_is_a_fault_of_the_gallery_and_searches_have_their_own(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url, LIMITS)
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    taken = [await gallery._engine.connect() for _ in range(2)]
    with pytest.raises(GalleryError, match="unusable"):
        await gallery.get_identity("default", "ada")
    assert await search_names(gallery, 1) == ["ada"]
    for each in taken:
        await each.close()
    assert (await gallery.get_identity("default", "ada")).identity == "ada"
    await gallery.close()


async def test_connections_ended_by_a_restart_are_replaced_without_an_error(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url, LIMITS)
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    for _ in range(2):
        assert await search_names(gallery, 1) == ["ada"]
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    assert await search_names(gallery, 1) == ["ada"]
    await gallery.enroll(new_template("bob", 2), IfExists.REJECT)
    await gallery.close()


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """Every process of the server that serves this database stands still: a machine that hangs."""
    with psycopg.connect(url, autocommit=True) as admin:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        processes = [pid for (pid,) in admin.execute(query)]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)


async def test_a_server_that_hangs_is_given_up_in_time(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url, LIMITS)
    guarded = GuardedGallery(gallery, max_calls=4, wait_s=0.3, deadline_s=10)
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    assert await search_names(guarded, 1) == ["ada"]
    with frozen(postgres_url):
        began = time.monotonic()
        with pytest.raises(GalleryUnavailable):
            await search_names(guarded, 1)
        with pytest.raises(GalleryUnavailable, match="may or may not have been stored"):
            await guarded.enroll(new_template("bob", 2), IfExists.REJECT)
        assert time.monotonic() - began < SLACK_S
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:  # the calls that were given up still end
        try:
            assert "ada" in await search_names(guarded, 1)
            break
        except GalleryUnavailable:
            await asyncio.sleep(0.2)
    assert "ada" in await search_names(guarded, 1)
    await gallery.close()


async def test_a_connection_that_breaks_during_a_commit_leaves_the_outcome_unknown(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url, LIMITS)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION break_off() RETURNS trigger AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); "
            "RETURN NULL; END $$ LANGUAGE plpgsql"
        )
        admin.execute(
            "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON templates DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION break_off()"
        )
        with pytest.raises(OutcomeUnknown):
            await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
        admin.execute("DROP FUNCTION break_off CASCADE")
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    await gallery.close()


async def test_a_cancelled_caller_learns_of_a_commit_that_was_too_late_to_stop(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url, LIMITS)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION take_time() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$ "
            "LANGUAGE plpgsql"
        )
        admin.execute(
            "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON templates DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION take_time()"
        )
        enrolling = asyncio.ensure_future(gallery.enroll(new_template("ada", 1), IfExists.REJECT))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        while admin.execute(waiting).fetchone() != (1,):
            assert not enrolling.done()
            await asyncio.sleep(0.02)
        enrolling.cancel()
        template = await enrolling
        assert (await gallery.get_identity("default", "ada")).templates == (template,)
    await gallery.close()
