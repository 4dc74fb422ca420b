"""The audit log. The database itself refuses to change or delete an entry."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

REFUSED = "the audit log is append-only"
ON_SQLITE = tuple(
    f"CREATE TRIGGER audit_refuses_{event} BEFORE {event} ON audit BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
    for event in ("UPDATE", "DELETE")
)
ON_POSTGRESQL = (
    f"CREATE FUNCTION refuse_audit_change() RETURNS trigger AS $$ BEGIN RAISE '{REFUSED}'; END $$ LANGUAGE plpgsql",
    "CREATE TRIGGER audit_refuses_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()",
)


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("gallery", sa.Text),
        sa.Column("identity", sa.Text),
        sa.Column("into", sa.Text),
        sa.Column("identities", sa.Integer),
        sa.Column("templates", sa.Integer),
        sa.Column("key", sa.Text),
        sa.Column("secret_id", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    for statement in ON_POSTGRESQL if op.get_bind().dialect.name == "postgresql" else ON_SQLITE:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_audit_change")
