"""What an error of PostgreSQL means for a person: one sentence without a document's contents.

The codes are those of https://www.postgresql.org/docs/current/errcodes-appendix.html. Not for catching:
`store/postgres.py` does.
"""

from __future__ import annotations

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from collab.errors import CollabError, StatementRefusedError, UnavailableError

FAILURES: Final = (
    DBAPIError,
    PoolTimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""All that SQLAlchemy, the driver and the network raise."""


def explain(error: BaseException, name: str) -> CollabError:
    """Return what an error says of the database `name`.

    UnavailableError if it may go away by itself or by the operator's hand, else StatementRefusedError:
    damage, or a bug.
    """
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return _lost(name)
    # SQLAlchemy's own errors hold their cause's DETAIL in their text.
    cause = (error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig is not None else error) or error
    if isinstance(cause, PoolTimeoutError):
        return UnavailableError(f"the database {name} keeps every connection busy")
    if isinstance(cause, TimeoutError):
        return UnavailableError(f"the database {name} does not answer")
    # The second is what asyncpg says of a connection that ended while a batch was about to be sent.
    if isinstance(cause, OSError | asyncpg.InternalClientError):
        return _lost(name)
    if isinstance(cause, asyncpg.PostgresError):
        return _of_server(cause, name)
    if isinstance(cause, asyncpg.InterfaceError) and not isinstance(cause, ValueError):
        # "connection is closed", "cannot perform operation: ..."; those that are ValueErrors quote a value.
        return _lost(name)
    return StatementRefusedError(name, type(cause).__name__)


def _lost(name: str) -> UnavailableError:
    return UnavailableError(f"the connection to the database {name} was lost")


def _of_server(error: asyncpg.PostgresError, name: str) -> CollabError:
    # The first line: DETAIL and CONTEXT quote rows.
    said = str(error.args[0]) if error.args else type(error).__name__
    state = error.sqlstate or ""
    match state:
        case "53100":
            return UnavailableError(f"the disk is full that holds the database {name}")
        case "53300":
            return UnavailableError(f"the database {name} takes no more connections: {said}")
        case "25006":
            return UnavailableError(f"the database {name} is read-only: a standby, or told to be")
        case "40001" | "40P01" | "55P03":
            return UnavailableError(f"another transaction stood in the way in the database {name}: {said}")
        case "57P01" | "57P02" | "57P03":
            return UnavailableError(f"the database {name} is stopping or starting: {said}")
        case "28000" | "28P01":
            return UnavailableError(f"the database {name} refuses the user or the password: {said}")
        case "3D000":
            return UnavailableError(f"the database {name} does not exist: create it first")
        case "42501":
            return UnavailableError(f"the user has not all rights in the database {name}: {said}")
    if state[:2] == "08":
        return _lost(name)
    # Resources, an operator's hand, the server's disk; a statement of an older state of the tables.
    if state[:2] in ("53", "57") or state == "58030" or isinstance(error, asyncpg.InvalidCachedStatementError):
        return UnavailableError(f"the database {name} cannot be used: {said}")
    return StatementRefusedError(name, f"{said} ({state})")
