"""Names that were stored before the rule on names get their form: Unicode's NFC, without spaces around them.

Two people whose names become one are kept apart: the second is `NAME (2)`. They may be two people or one; whoever knows
can merge them, but nobody could take a merge back. Names that the rule refuses altogether stay as they are.
"""

import logging
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

log = logging.getLogger("facetwin")

MAX_CHARACTERS = 200
ROWS_AT_ONCE = 10_000
# As bytes in SQLite: an old version may have stored text that is not UTF-8.
READ = {
    "sqlite": "SELECT gallery, CAST(identity AS BLOB) FROM identities",
    "postgresql": "SELECT gallery, identity FROM identities",
}
STEPS = (
    "INSERT INTO identities (gallery, identity, metadata, created_at) "
    "SELECT gallery, :new, metadata, created_at FROM identities WHERE gallery = :gallery AND identity = :old",
    "UPDATE templates SET identity = :new WHERE gallery = :gallery AND identity = :old",
    "UPDATE rejections SET identity = :new WHERE gallery = :gallery AND identity = :old",
    "DELETE FROM identities WHERE gallery = :gallery AND identity = :old",
)
EXISTS = "SELECT count(*) FROM identities WHERE gallery = :gallery AND identity = :name"
SOME_TEMPLATE = "SELECT min(template_id) FROM templates WHERE gallery = :gallery AND identity = :name"


def upgrade() -> None:
    connection = op.get_bind()
    apart = []
    renamed = _old_names(connection)
    for gallery, old in renamed:
        wanted = unicodedata.normalize("NFC", old.strip())
        new, number = wanted, 1
        while connection.scalar(sa.text(EXISTS), {"gallery": gallery, "name": new}):
            number += 1
            suffix = f" ({number})"
            new = wanted[: MAX_CHARACTERS - len(suffix)].rstrip() + suffix
        for step in STEPS:
            connection.execute(sa.text(step), {"gallery": gallery, "old": old, "new": new})
        if number > 1:
            apart.append(connection.scalar(sa.text(SOME_TEMPLATE), {"gallery": gallery, "name": new}))
    if renamed:
        # Never the names themselves.
        log.warning("names normalized", extra={"renamed": len(renamed), "kept_apart_with_templates": apart})


def _old_names(connection: sa.Connection) -> list[tuple[str, str]]:
    """Returns gallery and name of each person whose name has not its form, in order."""
    in_parts = {"yield_per": ROWS_AT_ONCE}
    rows = connection.execute(sa.text(READ[connection.dialect.name]), execution_options=in_parts)
    found = []
    for gallery, stored in rows:
        try:
            name = stored.decode() if isinstance(stored, bytes) else stored
        except UnicodeDecodeError:
            continue
        form = unicodedata.normalize("NFC", name.strip())
        if form not in (name, ""):
            found.append((gallery, name))
    return sorted(found)


def downgrade() -> None:
    """Changes nothing: a name in this form is one that every version can read."""
