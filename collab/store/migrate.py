"""Bring a database to the tables of this release, in one transaction.

The steps lie in `migrations/`, each named by its number; a database remembers its own. Alembic runs
them, and is imported only when there is something to run: it takes longer to import than all the rest
of a start.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text

from collab.errors import DatabaseTooNewError, DatabaseUnusableError

HEAD = "0003"
"""The revision that this release reads and writes: the newest in `migrations/versions`."""


_LOCK = 0x636F6C6C6162
"""Of whoever migrates a database on PostgreSQL: any number will do, as long as it stays ("collab")."""


def revision(connection: Connection, name: str) -> str | None:
    """Return the revision of a database, None if it is empty; refuse a database of somebody else.

    Reads only. `name` is what an operator calls the database.

    Raises:
        DatabaseTooNewError: a newer release has written to it.
        DatabaseUnusableError: it holds other tables than ours.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    found = None
    if "alembic_version" in tables:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is None or not found.isdecimal():
        raise DatabaseUnusableError(
            f"the database {name} holds the tables of another program: choose another place for this one"
        )
    if int(found) > int(HEAD):
        raise DatabaseTooNewError(
            f"the database {name} was written by a newer release: its tables have revision {found}, "
            f"release {_release()} knows none after {HEAD}; start the newer release, or restore a backup"
        )
    return str(found)


def upgrade(connection: Connection, name: str) -> None:
    """Run what is missing up to HEAD, all or nothing; a second call does nothing.

    `connection` is in no transaction yet. On SQLite it begins them so that only one process can be in
    here, and doesn't enforce foreign keys, since a migration may rebuild a table that others point to.
    """
    with connection.begin():
        if connection.dialect.name == "postgresql":
            # Others wait here until this transaction has ended, and then find nothing to do.
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        if revision(connection, name) != HEAD:
            _run_alembic(connection)


def folder() -> Path:
    """Return where the migrations are: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _run_alembic(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    # ConfigParser reads % as the start of a reference.
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _release() -> str:
    try:
        return version("collab-server")
    except PackageNotFoundError:
        return "of this checkout"
