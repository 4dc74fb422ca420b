"""What only the PostgreSQL gallery promises."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from app.errors import EncoderMismatch
from app.gallery import open_gallery
from app.gallery.base import GalleryError, IfExists, NewTemplate, Template, TemplateRecord
from app.gallery.postgres import gallery as postgres_gallery
from app.gallery.postgres.gallery import PostgresGallery
from app.gallery.postgres.queries import index_name, search_query
from tests.support.galleries import ENCODER, new_template, unit_vector

pytestmark = pytest.mark.anyio
DIMENSION = 256
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def indexed_template(identity: str, seed: int, gallery: str = "default", dimension: int = DIMENSION) -> NewTemplate:
    return replace(new_template(identity, seed, gallery), vector=unit_vector(seed, dimension))


async def test_an_index_search_returns_only_the_searched_gallery(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    for seed in range(120):
        await gallery.enroll(indexed_template(f"p{seed}", seed), IfExists.REJECT)
    for seed in range(12):
        await gallery.enroll(indexed_template(f"q{seed}", 1000 + seed, "few"), IfExists.REJECT)
    exact = {seed: await gallery.search("few", unit_vector(seed, DIMENSION), ENCODER, 3) for seed in range(5)}
    monkeypatch.setattr(postgres_gallery, "EXACT_LIMIT", 10)
    for seed, expected in exact.items():
        # Most of the nearest vectors in the index belong to the other gallery.
        found = await gallery.search("few", unit_vector(seed, DIMENSION), ENCODER, 3)
        assert [each.identity for each in found.candidates] == [each.identity for each in expected.candidates]
        assert found.size == 12
    found = await gallery.search("default", unit_vector(7, DIMENSION), ENCODER, 1)
    assert found.candidates[0].identity == "p7"
    await gallery.close()


async def plan(gallery: PostgresGallery, dimension: int, *settings: str) -> str:
    """How PostgreSQL would search the default gallery, in words."""
    query = search_query(dimension)
    async with gallery._engine.connect() as connection:
        for setting in settings:
            await connection.exec_driver_sql(f"SET {setting}")
        parameters = {"gallery": "default", "encoder": ENCODER, "probe": unit_vector(1, dimension), "limit": 5}
        lines = await connection.exec_driver_sql(f"EXPLAIN {query.compile(dialect=connection.dialect)}", parameters)
        return "\n".join(line for (line,) in lines)


@pytest.mark.parametrize("dimension", [128, 256, 512])
async def test_the_search_query_uses_the_index_of_its_dimension(postgres_url: str, dimension: int) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    await gallery.enroll(indexed_template("ada", 1, dimension=dimension), IfExists.REJECT)
    words = await plan(gallery, dimension, "enable_seqscan = off", "enable_sort = off")
    assert f"Index Scan using {index_name(dimension)} on" in words
    await gallery.close()


async def test_a_large_gallery_of_128_numbers_is_searched_by_its_index_without_being_told(postgres_url: str) -> None:
    gallery = await PostgresGallery.open(postgres_url)
    records = [
        TemplateRecord("default", f"p{n}", {}, NOW, Template(f"t{n}", ENCODER, "mtcnn", 0.5, NOW), unit_vector(n, 128))
        for n in range(3_000)
    ]
    assert await gallery.import_records(records) == 3_000
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("ANALYZE templates")
    assert f"Index Scan using {index_name(128)} on" in await plan(gallery, 128)
    await gallery.close()


async def test_vectors_too_long_for_an_index_are_stored_and_found(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_gallery, "EXACT_LIMIT", 0)
    gallery = await PostgresGallery.open(postgres_url)
    await gallery.enroll(indexed_template("ada", 1, dimension=2001), IfExists.REJECT)
    found = await gallery.search("default", unit_vector(1, 2001), ENCODER, 1)
    assert found.candidates[0].identity == "ada"
    await gallery.close()


async def test_services_that_meet_a_dimension_at_once_make_one_index(postgres_url: str) -> None:
    services = [await PostgresGallery.open(postgres_url) for _ in range(3)]
    await asyncio.gather(
        *(
            service.enroll(indexed_template(f"{place} {number}", number, f"g{place}", 64), IfExists.REJECT)
            for place, service in enumerate(services)
            for number in range(4)
        )
    )
    with psycopg.connect(postgres_url) as admin:
        found = admin.execute("SELECT count(*) FROM pg_indexes WHERE indexname = %s", (index_name(64),)).fetchone()
    assert found == (1,)
    for service in services:
        await service.close()


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
