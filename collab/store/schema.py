"""What a database's tables lack, compared with those of this release: columns, keys, indexes and constraints.

Every start asks whether our statements can work at all; whoever looks for damage (`collab.doctor`) asks for everything,
and only then is Alembic imported. Reads only. Not for bringing tables up to date (`migrate`), nor for what an operator
may add: tables of their own, and indexes that are not unique.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Inspector, Table, inspect
from sqlalchemy.exc import SAWarning

from collab.errors import DatabaseUnusableError
from collab.store.tables import metadata


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be."""

    what: str
    """For people."""
    fatal: bool
    """Whether our statements fail because of it, so that no document can be looked at."""


def insist_on_all(connection: Connection, name: str) -> None:
    """Refuse a database in which a table or a column is missing. `name` is what an operator calls it.

    Raises:
        DatabaseUnusableError: one is missing; the message says which.
    """
    lacking = missing(connection)
    if lacking:
        raise DatabaseUnusableError(f"the database {name} is not whole: {', '.join(lacking)}; restore a backup")


def missing(connection: Connection) -> list[str]:
    """Return for people which tables and columns are missing, so that our statements fail."""
    reflected = inspect(connection).get_multi_columns(filter_names=list(metadata.tables))
    present = {name: {column["name"] for column in columns} for (_, name), columns in reflected.items()}
    found = [f"the table {name} is missing" for name in metadata.tables if name not in present]
    for table in metadata.sorted_tables:
        columns = present.get(table.name, table.columns.keys())
        found += [f"the column {column} is missing" for column in table.columns if column.name not in columns]
    return found


def differences(connection: Connection) -> list[Difference]:
    """Return how the tables differ from those that the newest migration makes."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    found = [Difference(what, fatal=True) for what in missing(connection)]
    present = inspect(connection)
    names = present.get_table_names()
    here = [table for table in metadata.sorted_tables if table.name in names]
    found += [lack for table in here if (lack := _without_key(table, present))]
    context = MigrationContext.configure(connection)
    with warnings.catch_warnings():
        # That an operator's index cannot be described, since it is over an expression, is nobody's concern.
        warnings.simplefilter("ignore", SAWarning)
        compared = compare_metadata(context, metadata)
    for operation in compared:
        # Alembic puts what it would change of one column into a list.
        for each in operation if isinstance(operation, list) else [operation]:
            difference = _told(*each)
            if difference is not None and _table_of(*each) in [table.name for table in here]:
                found.append(difference)
    return found


def _without_key(table: Table, present: Inspector) -> Difference | None:
    """Return that a table has not its primary key, which Alembic does not look at."""
    columns = [column.name for column in table.primary_key]
    if present.get_pk_constraint(table.name)["constrained_columns"] == columns:
        return None
    return Difference(f"the table {table.name} lacks its primary key: {', '.join(columns)}", fatal=False)


def _table_of(operation: str, *details: Any) -> str:
    """Return the table that an operation of Alembic's would change."""
    if operation.startswith("modify_") or operation.endswith("_column"):
        return str(details[1])
    return str(details[0].name if operation.endswith("_table") else details[0].table.name)


def _told(operation: str, *details: Any) -> Difference | None:
    """Return what an operation of Alembic's says, None if it would take away what may be there."""
    match operation:
        case "remove_column":
            return Difference(f"the column {details[1]}.{details[2].name} is not one of this release", fatal=False)
        case "modify_type":
            what = f"the column {details[1]}.{details[2]} is {details[4]}, not {details[5]}"
            return Difference(what, fatal=False)
        case "modify_nullable":
            may = "may be empty" if details[4] else "may not be empty"
            return Difference(f"the column {details[1]}.{details[2]} {may}", fatal=False)
        case "add_index" | "add_constraint" | "add_fk":
            return Difference(f"{_named(operation, details[0])} is missing", fatal=False)
        case "remove_index" if not details[0].unique:
            return None
        case "remove_index" | "remove_constraint" | "remove_fk":
            return Difference(f"{_named(operation, details[0])} is not one of this release", fatal=False)
    return None


def _named(operation: str, thing: Any) -> str:
    kind = {"index": "index", "constraint": "unique constraint", "fk": "foreign key"}[operation.partition("_")[2]]
    return f"the {kind} {thing.name} of the table {thing.table.name}"
