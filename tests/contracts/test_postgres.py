"""What only the PostgreSQL gallery promises."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from app.errors import EncoderMismatch, GalleryUnavailable
from app.gallery import open_gallery
from app.gallery.base import GalleryError, IfExists, NewTemplate
from app.gallery.postgres import gallery as postgres
from app.gallery.postgres.gallery import INDEXED, PostgresGallery
from tests.support.galleries import ENCODER, new, vector

pytestmark = pytest.mark.anyio


def long(identity: str, seed: int, gallery: str = "default") -> NewTemplate:
    """With a vector of the length that has an index."""
    return replace(new(identity, seed, gallery), vector=vector(seed, INDEXED))


async def test_the_index_finds_the_nearest_of_its_own_gallery(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    for seed in range(120):
        await gallery.enroll(long(f"p{seed}", seed), IfExists.REJECT)
    for seed in range(12):
        await gallery.enroll(long(f"q{seed}", 1000 + seed, "few"), IfExists.REJECT)
    exact = {seed: await gallery.search("few", vector(seed, INDEXED), ENCODER, 3) for seed in range(5)}
    monkeypatch.setattr(postgres, "EXACT", 10)
    for seed, expected in exact.items():
        # Most of what the index meets first is of the other gallery.
        found = await gallery.search("few", vector(seed, INDEXED), ENCODER, 3)
        assert [each.identity for each in found.candidates] == [each.identity for each in expected.candidates]
        assert found.size == 12
    found = await gallery.search("default", vector(7, INDEXED), ENCODER, 1)
    assert found.candidates[0].identity == "p7"
    await gallery.close()


async def test_the_index_is_used_for_what_it_is_there_for(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    await gallery.enroll(long("ada", 1), IfExists.REJECT)
    query = postgres._nearest(indexed=True, of_one=False)
    async with gallery._engine.connect() as connection:
        await connection.exec_driver_sql("SET enable_seqscan = off")
        await connection.exec_driver_sql("SET enable_sort = off")
        asked = {"of": "default", "encoder": ENCODER, "probe": vector(1, INDEXED), "wanted": 5}
        plan = await connection.exec_driver_sql(f"EXPLAIN {query.compile(dialect=connection.dialect)}", asked)
        assert "templates_by_vector" in "\n".join(line for (line,) in plan)
    await gallery.close()


async def test_what_is_held_is_counted_through_every_change(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    template = await gallery.enroll(new("ada", 1), IfExists.ADD)
    await gallery.enroll(new("ada", 2), IfExists.ADD)
    await gallery.enroll(replace(new("bob", 3), detector="other"), IfExists.ADD)
    await gallery.forget_template("default", "ada", template.template_id)
    await gallery.enroll(new("ada", 4), IfExists.REPLACE)
    found = await gallery.search("default", vector(4), ENCODER, 1)
    assert found.size == 2
    assert found.detectors == {"mtcnn", "other"}
    await gallery.forget_gallery("default")
    assert (await gallery.search("default", vector(4), ENCODER, 1)).size == 0
    await gallery.close()


async def test_two_services_with_different_encoders_cannot_both_begin_a_gallery(postgres_url: str) -> None:
    services = [await PostgresGallery.open(postgres_url) for _ in range(2)]
    for round_ in range(5):
        answers = await asyncio.gather(
            *(
                service.enroll(new(f"by{number}", number, f"g{round_}", encoder_id=str(number) * 64), IfExists.REJECT)
                for number, service in enumerate(services)
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, EncoderMismatch) for answer in answers) == 1
    for service in services:
        await service.close()


async def test_a_server_out_of_reach_is_told_without_the_password() -> None:
    with pytest.raises(GalleryError, match="cannot be opened") as refused:
        await open_gallery("postgresql://ada:secret-word@127.0.0.1:9/gallery")
    assert "secret-word" not in str(refused.value)


async def test_a_connection_that_died_while_nobody_used_it_is_replaced_unnoticed(
    postgres: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gallery.postgres.connections.IDLE_SECONDS", 0.05)
    gallery = await PostgresGallery.open(postgres_url)
    await gallery.enroll(new("ada", 1), IfExists.REJECT)
    name = postgres_url.split("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    await asyncio.sleep(0.1)
    assert (await gallery.search("default", vector(1), ENCODER, 1)).size == 1
    await gallery.close()


async def test_a_server_that_goes_away_is_told_and_forgiven(postgres: str, postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    await gallery.enroll(new("ada", 1), IfExists.REJECT)
    name = postgres_url.split("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        with pytest.raises(GalleryUnavailable, match="nothing was kept"):
            await gallery.enroll(new("bob", 2), IfExists.REJECT)
        admin.execute("ALTER DATABASE " + name + " ALLOW_CONNECTIONS true")
    await gallery.enroll(new("bob", 2), IfExists.REJECT)
    assert (await gallery.search("default", vector(2), ENCODER, 1)).size == 2
    await gallery.close()


async def test_tables_of_a_newer_version_are_refused(postgres_url: str) -> None:
    await (await PostgresGallery.open(postgres_url)).close()
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(GalleryError, match="newer facetwin"):
        await PostgresGallery.open(postgres_url)
