"""Migrates the tables of a database to this version."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from app.gallery.base import Schema


def migrate(connection: Connection) -> None:
    """Creates or upgrades all tables, on a connection inside a transaction.

    Raises Alembic's CommandError if a newer version made them.
    """
    config = _configure()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def read_schema(connection: Connection) -> Schema:
    """Says which version made the tables. Raises Alembic's CommandError if a newer one did."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        return Schema.ABSENT
    versions = ScriptDirectory.from_config(_configure())
    if revision == versions.get_current_head():
        return Schema.CURRENT
    if versions.get_revision(revision) is None:
        raise CommandError(f"Can't locate revision identified by '{revision}'")
    return Schema.OLDER


def _configure() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
