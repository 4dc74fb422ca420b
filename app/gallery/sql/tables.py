"""The tables after the newest migration, in SQLite and PostgreSQL."""

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
# Names sort by their bytes everywhere. PostgreSQL's default depends on the locale of its machine.
Name = Text().with_variant(Text(collation="C"), "postgresql")


class PgVector(UserDefinedType[NDArray[np.float32]]):
    """pgvector's type, which psycopg sends in binary: much faster than as text."""

    cache_ok = True

    def __init__(self, dimension: int | None = None) -> None:
        self.dimension = dimension

    def get_col_spec(self, **_: Any) -> str:
        return "vector" if self.dimension is None else f"vector({self.dimension})"

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], NDArray[np.float32]]:
        return lambda value: np.asarray(value.to_numpy(), np.float32)


class Embedding(TypeDecorator[NDArray[np.float32]]):
    """A float32 vector (D,): little-endian bytes in SQLite, pgvector's type in PostgreSQL."""

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

# SQLite has one more column, `number`: a key that is never reused, by which processes track templates.
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
    Column("request_key", Text),  # idempotency key of the enrollment, if any; unique in a gallery
    Column("request_digest", Text),  # SHA-256 of the enrollment request
    Column("expires_at", DateTime),  # UTC; never matched from then on
    Column("consent_ref", Text),
    ForeignKeyConstraint(["gallery", "identity"], ["identities.gallery", "identities.identity"], ondelete="CASCADE"),
    Index("templates_by_identity", "gallery", "identity"),
)

# Photos that looked like an identity and show somebody else: never matched again. They go with the identity.
rejections = Table(
    "rejections",
    metadata,
    Column("gallery", Name, primary_key=True),
    Column("rejection_id", Text, primary_key=True),
    Column("identity", Name, nullable=False),
    Column("encoder_id", Text, nullable=False),
    Column("vector", Embedding, nullable=False),
    Column("created_at", DateTime, nullable=False),  # UTC
    ForeignKeyConstraint(["gallery", "identity"], ["identities.gallery", "identities.identity"], ondelete="CASCADE"),
    Index("rejections_by_identity", "gallery", "identity"),
)

# SQLite only: the templates added and deleted, in order, for other processes on the file. Written by triggers.
changes = Table(
    "changes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("number", Integer, nullable=False),
    sqlite_autoincrement=True,
)

# PostgreSQL only: templates per gallery, encoder and detector. Counting a million rows takes longer than a search.
template_counts = Table(
    "holdings",  # the name since revision 0002
    metadata,
    Column("gallery", Name, primary_key=True),
    Column("encoder_id", Text, primary_key=True),
    Column("detector", Text, primary_key=True),
    Column("templates", Integer, nullable=False),
)

# Also those that expired or were revoked: a store that has ever had a key never serves callers without one.
api_keys = Table(
    "api_keys",
    metadata,
    Column("name", Name, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),  # SHA-256 of the key, in hex
    Column("scopes", Text, nullable=False),  # separated by spaces
    Column("galleries", Text),  # separated by spaces; NULL means any
    Column("created_at", DateTime, nullable=False),  # UTC
    Column("expires_at", DateTime),  # UTC
    Column("revoked_at", DateTime),  # UTC
)

# The fields of app.gallery.audit.Entry. Triggers refuse to change or delete a row.
audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("gallery", Text),
    Column("identity", Text),
    Column("into", Text),
    Column("identities", Integer),
    Column("templates", Integer),
    Column("key", Text),
    Column("secret_id", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
