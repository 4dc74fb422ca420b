"""Run by Alembic for each upgrade, inside a transaction that the store began."""

from alembic import context

from app.gallery.sql.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
