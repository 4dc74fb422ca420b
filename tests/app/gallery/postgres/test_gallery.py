"""What only the PostgreSQL gallery promises."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from app.errors import EncoderMismatch
from app.gallery import open_gallery
from app.gallery.base import GalleryError, IfExists, NewTemplate
from app.gallery.postgres import gallery as postgres_gallery
from app.gallery.postgres.gallery import PostgresGallery
from app.gallery.postgres.queries import INDEXED_DIMENSION, search_query
from tests.support.galleries import ENCODER, new_template, unit_vector

pytestmark = pytest.mark.anyio


def indexed_template(identity: str, seed: int, gallery: str = "default") -> NewTemplate:
    """A template with a vector of the dimension that the index covers."""
    return replace(new_template(identity, seed, gallery), vector=unit_vector(seed, INDEXED_DIMENSION))


async def test_an_index_search_returns_only_the_searched_gallery(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    for seed in range(120):
        await gallery.enroll(indexed_template(f"p{seed}", seed), IfExists.REJECT)
    for seed in range(12):
        await gallery.enroll(indexed_template(f"q{seed}", 1000 + seed, "few"), IfExists.REJECT)
    exact = {seed: await gallery.search("few", unit_vector(seed, INDEXED_DIMENSION), ENCODER, 3) for seed in range(5)}
    monkeypatch.setattr(postgres_gallery, "EXACT_LIMIT", 10)
    for seed, expected in exact.items():
        # Most of the nearest vectors in the index belong to the other gallery.
        found = await gallery.search("few", unit_vector(seed, INDEXED_DIMENSION), ENCODER, 3)
        assert [each.identity for each in found.candidates] == [each.identity for each in expected.candidates]
        assert found.size == 12
    found = await gallery.search("default", unit_vector(7, INDEXED_DIMENSION), ENCODER, 1)
    assert found.candidates[0].identity == "p7"
    await gallery.close()


async def test_the_search_query_uses_the_vector_index(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    await gallery.enroll(indexed_template("ada", 1), IfExists.REJECT)
    query = search_query(use_index=True, one_identity=False)
    async with gallery._engine.connect() as connection:
        await connection.exec_driver_sql("SET enable_seqscan = off")
        await connection.exec_driver_sql("SET enable_sort = off")
        probe = unit_vector(1, INDEXED_DIMENSION)
        parameters = {"gallery": "default", "encoder": ENCODER, "probe": probe, "limit": 5}
        plan = await connection.exec_driver_sql(f"EXPLAIN {query.compile(dialect=connection.dialect)}", parameters)
        assert "templates_by_vector" in "\n".join(line for (line,) in plan)
    await gallery.close()


async def test_every_change_keeps_the_template_counts_correct(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    template = await gallery.enroll(new_template("ada", 1), IfExists.ADD)
    await gallery.enroll(new_template("ada", 2), IfExists.ADD)
    await gallery.enroll(replace(new_template("bob", 3), detector="other"), IfExists.ADD)
    await gallery.delete_template("default", "ada", template.template_id)
    await gallery.enroll(new_template("ada", 4), IfExists.REPLACE)
    found = await gallery.search("default", unit_vector(4), ENCODER, 1)
    assert found.size == 2
    assert found.detectors == {"mtcnn", "other"}
    await gallery.delete_gallery("default")
    assert (await gallery.search("default", unit_vector(4), ENCODER, 1)).size == 0
    await gallery.close()


async def test_only_one_of_two_encoders_can_start_a_gallery(postgres_url: str) -> None:
    services = [await PostgresGallery.open(postgres_url) for _ in range(2)]
    for round_ in range(5):
        answers = await asyncio.gather(
            *(
                service.enroll(
                    new_template(f"by{number}", number, f"g{round_}", encoder_id=str(number) * 64), IfExists.REJECT
                )
                for number, service in enumerate(services)
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, EncoderMismatch) for answer in answers) == 1
    for service in services:
        await service.close()


async def test_an_unreachable_server_is_reported_without_the_password() -> None:
    with pytest.raises(GalleryError, match="cannot be opened") as refused:
        await open_gallery("postgresql://ada:secret-word@127.0.0.1:9/gallery")
    assert "secret-word" not in str(refused.value)


async def test_a_connection_that_died_while_idle_is_replaced(
    postgres: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gallery.postgres.connections.IDLE_SECONDS", 0.05)
    gallery = await PostgresGallery.open(postgres_url)
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    name = postgres_url.split("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    await asyncio.sleep(0.1)
    assert (await gallery.search("default", unit_vector(1), ENCODER, 1)).size == 1
    await gallery.close()


async def test_the_gallery_recovers_after_the_server_was_unavailable(postgres: str, postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    await gallery.enroll(new_template("ada", 1), IfExists.REJECT)
    name = postgres_url.split("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        with pytest.raises(GalleryError, match="is unusable"):
            await gallery.enroll(new_template("bob", 2), IfExists.REJECT)
        admin.execute("ALTER DATABASE " + name + " ALLOW_CONNECTIONS true")
    await gallery.enroll(new_template("bob", 2), IfExists.REJECT)
    assert (await gallery.search("default", unit_vector(2), ENCODER, 1)).size == 2
    await gallery.close()


async def test_tables_of_a_newer_version_are_refused(postgres_url: str) -> None:
    await (await PostgresGallery.open(postgres_url)).close()
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(GalleryError, match="newer facetwin"):
        await PostgresGallery.open(postgres_url)
