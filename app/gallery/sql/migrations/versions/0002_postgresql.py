"""PostgreSQL only: keys that begin with the gallery, vectors of pgvector's type with an index, and counts."""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for statement in (
        "ALTER TABLE templates ALTER COLUMN vector TYPE vector USING NULL::vector",  # the table is new, so empty
        "ALTER TABLE templates DROP CONSTRAINT templates_pkey",
        "ALTER TABLE templates ADD PRIMARY KEY (gallery, template_id)",
        "DROP TABLE changes",
        # The shipped bundles make vectors of 128 numbers. Others are compared one by one.
        "CREATE INDEX templates_by_vector ON templates USING hnsw ((vector::vector(128)) vector_ip_ops) "
        "WHERE vector_dims(vector) = 128",
    ):
        op.execute(statement)
    for table, column in (("identities", "gallery"), ("identities", "identity")):
        op.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE text COLLATE "C"')
    for column in ("gallery", "identity"):
        op.execute(f'ALTER TABLE templates ALTER COLUMN {column} TYPE text COLLATE "C"')
    op.create_table(
        "holdings",
        sa.Column("gallery", sa.Text(collation="C"), primary_key=True),
        sa.Column("encoder_id", sa.Text, primary_key=True),
        sa.Column("detector", sa.Text, primary_key=True),
        sa.Column("templates", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        raise CommandError("This is the first revision for PostgreSQL; there is none to go back to.")
