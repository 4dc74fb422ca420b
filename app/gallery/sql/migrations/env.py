"""Run by Alembic for each upgrade, inside the transaction that the store has begun."""

from alembic import context

from app.gallery.sql.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
