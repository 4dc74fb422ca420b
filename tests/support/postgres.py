"""Fixtures for tests on a real PostgreSQL with pgvector."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.postgres_server import run_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a new server, as a libpq URL."""
    with run_postgres() as address:
        yield address


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """The URL of a new empty database."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
