"""A damaged SQLite file made new: every row that can be read, copied into another file that takes its place.

SQLite must not write to a file with damaged pages, so nothing is repaired inside of one. The old
file is kept beside the new one, whole. Rows are copied by SQLite itself, as they are (`copying`): what they say is for
`collab.doctor` to judge; whose they are is put right (`reconciling`). Not for a file whose schema is lost.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from collab.errors import DatabaseUnusableError
from collab.store.copying import code_of, copy, is_ours, last_ids, make_tables, quoted, text
from collab.store.readonly import too_broken, unusable
from collab.store.reconciling import FOUND, Reconciled, make_room, reconcile
from collab.store.tables import metadata

_OF_ITS_OWN: Final = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH)
"""What is the matter with an index itself, and not with the disk."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a damaged file."""

    kept: Path
    """Where it is now."""
    copied: dict[str, int]
    """Rows by table."""
    lost: dict[str, int]
    """Ids by table behind which something cannot be read; not each of them need have been a row."""
    reconciled: Reconciled
    """What table and index contradicted each other in."""
    left_out: tuple[str, ...]
    """What an operator had added, and could not be made again, each with the reason."""


def salvage(path: Path, say: Callable[[str], None]) -> Salvaged:
    """Replace a damaged database by what can be read of it; whoever calls holds its lock.

    Whenever this is killed, the database is either the old or the new one, whole. It needs room for a copy.

    Raises:
        DatabaseUnusableError: it is too damaged, or there is no room.
    """
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        with _sentences(path):
            copied, lost, reconciled, left_out = _copy(path, fresh, say)
            _check(fresh)
            kept = _swap(path, fresh)
    finally:
        fresh.unlink(missing_ok=True)
    return Salvaged(kept, copied, lost, reconciled, tuple(left_out))


def _copy(
    path: Path, fresh: Path, say: Callable[[str], None]
) -> tuple[dict[str, int], dict[str, int], Reconciled, list[str]]:
    copied: dict[str, int] = {}
    lost: dict[str, int] = {}
    with closing(sqlite3.connect(f"file:{quote(str(fresh))}", uri=True, isolation_level=None)) as new:
        new.text_factory = text
        new.execute("ATTACH ? AS old", (f"file:{quote(str(path))}?mode=ro",))
        for pragma in ("user_version", "application_id"):
            (number,) = new.execute(f"PRAGMA old.{pragma}").fetchone()
            new.execute(f"PRAGMA main.{pragma} = {int(number)}")
        of_sqlite = "name LIKE 'sqlite!_%' ESCAPE '!'"
        schema = new.execute(
            f"SELECT type, name, sql FROM old.sqlite_schema WHERE sql IS NOT NULL AND NOT {of_sqlite}"
        ).fetchall()
        last = last_ids(new)
        # In a transaction SQLite writes nothing more once it has met a damaged page, so there is none.
        new.execute("PRAGMA main.synchronous=OFF")
        new.execute("PRAGMA main.journal_mode=MEMORY")
        tables = make_tables(new, [(name, sql) for kind, name, sql in schema if kind == "table"])
        make_room(new)
        for name, sql in tables:
            say(f"copying the table {name}")
            lost[name] = copy(new, name, sql, last, FOUND if name == "documents" else None)
        say("putting right what table and index contradict each other in")
        reconciled = reconcile(new, {name for name, _ in tables})
        for name, rows in reconciled.lost.items():
            lost[name] += rows
        lost["documents"] += len(reconciled.renewed)
        for name, _ in tables:
            (copied[name],) = new.execute(f"SELECT count(*) FROM main.{quoted(name)}").fetchone()
        left_out = _make_the_rest(new, [each for each in schema if each[0] != "table"])
        # An id is never used again, even that of a row that was lost (S5).
        new.execute("DELETE FROM main.sqlite_sequence")
        new.executemany("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", last.items())
    return copied, lost, reconciled, left_out


def _make_the_rest(new: sqlite3.Connection, schema: Sequence[tuple[str, str, str]]) -> list[str]:
    """Make indexes, views and triggers; return those of an operator's that cannot be, each with the reason."""
    left_out = []
    ours = {index.name for table in metadata.tables.values() for index in table.indexes}
    for kind, name, sql in schema:
        try:
            new.execute(sql)
        except sqlite3.DatabaseError as error:
            if name in ours or code_of(error) not in _OF_ITS_OWN:
                raise
            # Of a function that only their program has, or of values that were damaged.
            left_out.append(f"the {kind} {name}: {error}")
    return left_out


def _check(fresh: Path) -> None:
    """Insist on the copy being sound as far as it is ours, and on disk."""
    with closing(sqlite3.connect(fresh)) as new:
        there = [name for (name,) in new.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in filter(is_ours, there):
            if new.execute(f"PRAGMA integrity_check({table})").fetchall() != [("ok",)]:
                raise too_broken(fresh)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())


def _swap(path: Path, fresh: Path) -> Path:
    """Put the new file in the place of the old one; return where that is now."""
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        # Its WAL would be taken for one of the new file.
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists() and wal.stat().st_size:
        raise DatabaseUnusableError(f"the database {path} is in use by another program: stop it first")
    for each in (wal, path.with_name(f"{path.name}-shm")):
        each.unlink(missing_ok=True)
    kept = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    os.link(path, kept)
    there = path.stat()
    # Whoever repairs it need not be who serves it.
    os.chown(fresh, there.st_uid, there.st_gid)
    fresh.chmod(there.st_mode)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return kept


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Turn whatever hinders a rebuilding into the one sentence that the operator reads."""
    try:
        yield
    except sqlite3.Error as error:
        raise unusable(error, path) from error
    except UnicodeEncodeError as error:
        raise DatabaseUnusableError(
            f"the database {path} cannot be rebuilt: what its schema says is no text"
        ) from error
    except OSError as error:
        raise DatabaseUnusableError(f"the database {path} cannot be rebuilt: {error.strerror}") from error
