"""Creates identities, templates, and the changes that other processes follow."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("gallery", sa.Text, primary_key=True),
        sa.Column("identity", sa.Text, primary_key=True),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "templates",
        sa.Column("template_id", sa.Text, primary_key=True),
        sa.Column("gallery", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("encoder_id", sa.Text, nullable=False),
        sa.Column("detector", sa.Text, nullable=False),
        sa.Column("quality", sa.Float, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["gallery", "identity"], ["identities.gallery", "identities.identity"], ondelete="CASCADE"
        ),
    )
    op.create_index("templates_by_identity", "templates", ["gallery", "identity"])
    op.create_table(
        "changes",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("template_id", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("changes")
    op.drop_table("templates")
    op.drop_table("identities")
