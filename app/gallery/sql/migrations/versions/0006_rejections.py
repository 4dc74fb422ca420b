"""Photos that are known not to show an identity."""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    name = sa.Text(collation="C") if is_postgresql else sa.Text()
    op.create_table(
        "rejections",
        sa.Column("gallery", name, primary_key=True),
        sa.Column("rejection_id", sa.Text, primary_key=True),
        sa.Column("identity", name, nullable=False),
        sa.Column("encoder_id", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["gallery", "identity"], ["identities.gallery", "identities.identity"], ondelete="CASCADE"
        ),
    )
    if is_postgresql:
        op.execute("ALTER TABLE rejections ALTER COLUMN vector TYPE vector USING NULL::vector")  # the table is empty
    op.create_index("rejections_by_identity", "rejections", ["gallery", "identity"])


def downgrade() -> None:
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM rejections")):
        raise CommandError("The older version has no rejections. Export the gallery, and delete them first.")
    op.drop_table("rejections")
