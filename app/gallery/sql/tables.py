"""The tables, as the newest migration leaves them: in SQLite, and in PostgreSQL where that differs."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine, UserDefinedType

metadata = MetaData()
# Compared byte by byte everywhere: PostgreSQL would go by the language of its machine.
Name = Text().with_variant(Text(collation="C"), "postgresql")


class PgVector(UserDefinedType[NDArray[np.float32]]):
    """pgvector's own type; psycopg knows how to send it as bytes, which takes a fraction of the time of text."""

    cache_ok = True

    def __init__(self, dimension: int | None = None) -> None:
        self.dimension = dimension

    def get_col_spec(self, **_: Any) -> str:
        return "vector" if self.dimension is None else f"vector({self.dimension})"

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], NDArray[np.float32]]:
        return lambda value: np.asarray(value.to_numpy(), np.float32)


class Embedding(TypeDecorator[NDArray[np.float32]]):
    """A vector (D,): little-endian 32-bit numbers in SQLite, pgvector's own type in PostgreSQL."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(PgVector() if dialect.name == "postgresql" else LargeBinary())

    def process_bind_param(self, value: NDArray[np.float32] | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astype("<f4").tobytes()

    def process_result_value(self, value: Any, dialect: Dialect) -> NDArray[np.float32] | None:
        return np.frombuffer(value, "<f4") if isinstance(value, bytes) else value


identities = Table(
    "identities",
    metadata,
    Column("gallery", Name, primary_key=True),
    Column("identity", Name, primary_key=True),
    Column("metadata", Text, nullable=False),  # a JSON object
    Column("created_at", DateTime, nullable=False),  # UTC
)

# In SQLite with one column more, `number`: never given twice, and what processes know a template by.
templates = Table(
    "templates",
    metadata,
    Column("template_id", Text, primary_key=True),
    Column("gallery", Name, nullable=False),
    Column("identity", Name, nullable=False),
    Column("encoder_id", Text, nullable=False),
    Column("detector", Text, nullable=False),
    Column("quality", Float, nullable=False),
    Column("vector", Embedding, nullable=False),
    Column("created_at", DateTime, nullable=False),  # UTC
    Column("request_key", Text),  # of the enrolment that brought it, if it had one; only once in a gallery
    Column("request_digest", Text),  # SHA-256 of what that enrolment asked
    ForeignKeyConstraint(["gallery", "identity"], ["identities.gallery", "identities.identity"], ondelete="CASCADE"),
    Index("templates_by_identity", "gallery", "identity"),
)

# In SQLite: which templates have come or gone, in order, for other processes on the same file to follow; triggers
# write it.
changes = Table(
    "changes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("number", Integer, nullable=False),
    sqlite_autoincrement=True,
)

# In PostgreSQL: how many templates there are of each kind, since counting a million rows takes longer than a search.
holdings = Table(
    "holdings",
    metadata,
    Column("gallery", Name, primary_key=True),
    Column("encoder_id", Text, primary_key=True),
    Column("detector", Text, primary_key=True),
    Column("templates", Integer, nullable=False),
)
