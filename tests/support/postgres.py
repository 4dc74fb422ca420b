"""Fixtures for tests on a real PostgreSQL with pgvector."""

from collections.abc import Iterator

import pytest

from tests.support.postgres_server import new_database, run_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a new server, as a libpq URL."""
    with run_postgres() as address:
        yield address


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """The URL of a new empty database."""
    with new_database(postgres) as url:
        yield url
