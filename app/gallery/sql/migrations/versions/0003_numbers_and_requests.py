"""Numbers templates in SQLite, rebuilds the index of PostgreSQL with finer settings, and stores idempotency keys."""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COPY_TEMPLATES = """
INSERT INTO templates (template_id, gallery, identity, encoder_id, detector, quality, vector, created_at)
SELECT template_id, gallery, identity, encoder_id, detector, quality, vector, created_at FROM unnumbered ORDER BY rowid
"""
CREATE_FINER_INDEX = """
CREATE INDEX templates_by_vector ON templates USING hnsw ((vector::vector(128)) vector_ip_ops)
WITH (m = 24, ef_construction = 200) WHERE vector_dims(vector) = 128
"""
TRIGGERS = (
    "CREATE TRIGGER told_of_insert AFTER INSERT ON templates "
    "BEGIN INSERT INTO changes (number) VALUES (new.number); END",
    "CREATE TRIGGER told_of_delete AFTER DELETE ON templates "
    "BEGIN INSERT INTO changes (number) VALUES (old.number); END",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.add_column("templates", sa.Column("request_key", sa.Text))
        op.add_column("templates", sa.Column("request_digest", sa.Text))
        op.execute("DROP INDEX templates_by_vector")
        op.execute(CREATE_FINER_INDEX)
    else:
        _number_templates()
    op.create_index(
        "templates_by_request",
        "templates",
        ["gallery", "request_key"],
        unique=True,
        postgresql_where=sa.text("request_key IS NOT NULL"),
        sqlite_where=sa.text("request_key IS NOT NULL"),
    )


def _number_templates() -> None:
    op.rename_table("templates", "unnumbered")
    op.drop_index("templates_by_identity")
    op.create_table(
        "templates",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("template_id", sa.Text, nullable=False, unique=True),
        sa.Column("gallery", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("encoder_id", sa.Text, nullable=False),
        sa.Column("detector", sa.Text, nullable=False),
        sa.Column("quality", sa.Float, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("request_key", sa.Text),
        sa.Column("request_digest", sa.Text),
        sa.ForeignKeyConstraint(
            ["gallery", "identity"], ["identities.gallery", "identities.identity"], ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.execute(COPY_TEMPLATES)
    op.drop_table("unnumbered")
    op.create_index("templates_by_identity", "templates", ["gallery", "identity"])
    op.drop_table("changes")
    op.create_table(
        "changes",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("number", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    raise CommandError("There is no downgrade. Export the gallery and import it into a new one of the older version.")
