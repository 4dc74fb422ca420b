"""When a template expires, and a reference to the person's consent."""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("templates", sa.Column("expires_at", sa.DateTime))
    op.add_column("templates", sa.Column("consent_ref", sa.Text))
    expiring = sa.text("expires_at IS NOT NULL")
    op.create_index(
        "templates_by_expiry",
        "templates",
        ["gallery", "expires_at"],
        postgresql_where=expiring,
        sqlite_where=expiring,
    )


def downgrade() -> None:
    raise CommandError("There is no downgrade. Export the gallery and import it into a new one of the older version.")
