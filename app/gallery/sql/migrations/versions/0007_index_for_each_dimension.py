"""PostgreSQL: each dimension of vectors has its index. Later ones get theirs with their first template."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MAX_DIMENSION = 2000  # of pgvector's index


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":  # in SQLite, vectors are searched in memory
        return
    op.execute("ALTER INDEX templates_by_vector RENAME TO templates_by_vector_256")
    found = op.get_bind().exec_driver_sql("SELECT DISTINCT vector_dims(vector) FROM templates")
    for (dimension,) in found.all():
        if dimension <= MAX_DIMENSION:
            op.execute(
                f"CREATE INDEX IF NOT EXISTS templates_by_vector_{dimension} ON templates "
                f"USING hnsw ((vector::vector({dimension})) vector_ip_ops) "
                f"WITH (m = 24, ef_construction = 200) WHERE vector_dims(vector) = {dimension}"
            )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        found = op.get_bind().exec_driver_sql(
            "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'templates' "
            "AND indexname ~ '^templates_by_vector_[0-9]+$' AND indexname <> 'templates_by_vector_256'"
        )
        for (name,) in found.all():
            op.execute(f"DROP INDEX {name}")
        op.execute("ALTER INDEX templates_by_vector_256 RENAME TO templates_by_vector")
