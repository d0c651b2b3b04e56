"""Alembic's entry: runs the history on the connection that Database.migrate hands over."""

from alembic import context

from cgii.model.registry import Table

connection = context.config.attributes["connection"]
# Batch mode copies a table where SQLite cannot alter it; PostgreSQL alters in place.
context.configure(
    connection=connection,
    target_metadata=Table.metadata,
    render_as_batch=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
