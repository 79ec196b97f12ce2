"""A damaged SQLite file made new: every row that can be read, copied into another file that takes its place.

SQLite must not write to a file with damaged pages, so nothing is repaired inside of one. The old
file is kept beside the new one, whole. Rows are copied by SQLite itself, as they are: what they say is for
`collab.doctor` to judge. Not for a file whose schema is lost.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from collab.errors import DatabaseUnusableError
from collab.store.readonly import too_broken, unusable


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a damaged file."""

    kept: Path
    """Where it is now."""
    copied: dict[str, int]
    """Rows by table."""
    lost: dict[str, int]
    """Ids by table behind which something cannot be read; not each of them need have been a row."""


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
            copied, lost = _copy(path, fresh, say)
            _check(fresh)
            kept = _swap(path, fresh)
    finally:
        fresh.unlink(missing_ok=True)
    return Salvaged(kept, copied, lost)


def _copy(path: Path, fresh: Path, say: Callable[[str], None]) -> tuple[dict[str, int], dict[str, int]]:
    copied: dict[str, int] = {}
    lost: dict[str, int] = {}
    with closing(sqlite3.connect(f"file:{quote(str(fresh))}", uri=True, isolation_level=None)) as new:
        new.execute("ATTACH ? AS old", (f"file:{quote(str(path))}?mode=ro",))
        schema = new.execute(
            "SELECT type, name, sql FROM old.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        ends = dict(new.execute("SELECT name, seq FROM old.sqlite_sequence").fetchall())
        # In a transaction SQLite writes nothing more once it has met a damaged page, so there is none.
        new.execute("PRAGMA main.synchronous=OFF")
        tables = [(name, sql) for kind, name, sql in schema if kind == "table"]
        for _, sql in tables:
            new.execute(sql)
        for name, _ in tables:
            say(f"copying the table {name}")
            # Only the table of client ids has no ids of its own: it is copied document by document.
            key, end = ("rowid", ends[name]) if name in ends else _key(new, name, ends)
            lost[name] = sum(_copy_range(new, name, key, 1, end))
            (copied[name],) = new.execute(f"SELECT count(*) FROM main.{name}").fetchone()
        for kind, _, sql in schema:
            if kind != "table":
                new.execute(sql)
        # An id is never used again, even that of a row that was lost (S5).
        new.execute("DELETE FROM main.sqlite_sequence")
        new.executemany("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", ends.items())
    return copied, lost


def _key(new: sqlite3.Connection, table: str, ends: dict[str, int]) -> tuple[str, int]:
    columns = [name for _, name, *_ in new.execute(f"PRAGMA main.table_info({table})")]
    if "document_id" in columns:
        return "document_id", ends.get("documents", 0)
    return "rowid", 1 << 16


def _copy_range(new: sqlite3.Connection, table: str, key: str, first: int, last: int) -> Iterator[int]:
    """Copy what stands between two keys, both included; yield 1 for each key at which something cannot be read."""
    ranges = [(first, last)]
    while ranges:
        low, high = ranges.pop()
        try:
            # A statement that fails in its middle leaves nothing. Ignored are rows that stand there twice.
            new.execute(
                f"INSERT OR IGNORE INTO main.{table} SELECT * FROM old.{table} WHERE {key} BETWEEN ? AND ?", (low, high)
            )
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            if low == high:
                yield 1
                continue
            middle = (low + high) // 2
            ranges += [(middle + 1, high), (low, middle)]


def _check(fresh: Path) -> None:
    """Insist on the copy being sound, and on disk."""
    with closing(sqlite3.connect(fresh)) as new:
        found = new.execute("PRAGMA integrity_check").fetchall()
    if found != [("ok",)]:
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
    fresh.chmod(path.stat().st_mode)
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
    except OSError as error:
        raise DatabaseUnusableError(f"the database {path} cannot be rebuilt: {error.strerror}") from error
