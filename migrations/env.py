"""How Alembic runs the steps: on the connection, and in the transaction, of `collab.store.migrate`.

Not for the `alembic` command: a server brings its database up to date when it starts.
"""

from alembic import context

from collab.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes most of a table's definition only by rebuilding it.
    render_as_batch=True,
    # Alembic takes SQLite for unable to; it is able, as long as nothing commits in between.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
