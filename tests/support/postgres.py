"""A real PostgreSQL with pgvector, for the tests."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.postgres_server import postgres as running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server of its own, as libpq takes it."""
    with running_postgres() as address:
        yield address


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
