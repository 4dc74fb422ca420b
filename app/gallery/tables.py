"""The tables, as the newest migration leaves them."""

from sqlalchemy import Column, DateTime, Float, ForeignKeyConstraint, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()

identities = Table(
    "identities",
    metadata,
    Column("gallery", Text, primary_key=True),
    Column("identity", Text, primary_key=True),
    Column("metadata", Text, nullable=False),  # a JSON object
    Column("created_at", DateTime, nullable=False),  # UTC
)

templates = Table(
    "templates",
    metadata,
    Column("template_id", Text, primary_key=True),
    Column("gallery", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("encoder_id", Text, nullable=False),
    Column("detector", Text, nullable=False),
    Column("quality", Float, nullable=False),
    Column("vector", LargeBinary, nullable=False),  # float32, little-endian
    Column("created_at", DateTime, nullable=False),  # UTC
    ForeignKeyConstraint(["gallery", "identity"], ["identities.gallery", "identities.identity"], ondelete="CASCADE"),
    Index("templates_by_identity", "gallery", "identity"),
)

# What happened, in order, for other processes on the same file to follow. Names are in no row of it.
changes = Table(
    "changes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("template_id", Text, nullable=False),
    sqlite_autoincrement=True,
)
