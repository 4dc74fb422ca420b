"""What PostgreSQL needs beside or instead: keys that begin with the gallery, vectors of its own type with an index."""

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
        "ALTER TABLE templates ALTER COLUMN vector TYPE vector USING NULL::vector",  # a new table: it is empty
        "ALTER TABLE templates DROP CONSTRAINT templates_pkey",
        "ALTER TABLE templates ADD PRIMARY KEY (gallery, template_id)",
        "DROP TABLE changes",
        # Of the vectors that the shipped bundles make; others are compared one by one.
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
        raise CommandError("Galleries in PostgreSQL begin with this revision: there is nothing to go back to.")
