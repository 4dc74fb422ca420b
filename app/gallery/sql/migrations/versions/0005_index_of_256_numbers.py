"""The index of PostgreSQL covers vectors of 256 numbers, as the default encoder makes them, instead of 128."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _index_vectors(256)


def downgrade() -> None:
    _index_vectors(128)


def _index_vectors(dimension: int) -> None:
    if op.get_bind().dialect.name == "postgresql":  # in SQLite, vectors are searched in memory
        op.execute("DROP INDEX templates_by_vector")
        op.execute(
            f"CREATE INDEX templates_by_vector ON templates USING hnsw ((vector::vector({dimension})) vector_ip_ops) "
            f"WITH (m = 24, ef_construction = 200) WHERE vector_dims(vector) = {dimension}"
        )
