"""A damaged SQLite file made new: every row that can be read, copied into another file that takes its place.

SQLite must not write to a file with damaged pages, so nothing is repaired inside of one. The old
file is kept beside the new one, whole. Rows are copied by SQLite itself, as they are: what they say is for
`collab.doctor` to judge. Not for a file whose schema is lost.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from collab.errors import DatabaseUnusableError
from collab.store.census import is_text
from collab.store.readonly import too_broken, unusable

MOST_FAILURES: Final = 50_000
"""Ranges that cannot be read: from so many on, one of which no index knows a row is given up if it has 256 keys, from
twice as many on if it has 65,536, and so on."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a damaged file."""

    kept: Path
    """Where it is now."""
    copied: dict[str, int]
    """Rows by table."""
    lost: dict[str, int]
    """Ids by table behind which something cannot be read; not each of them need have been a row."""
    named: tuple[str, ...]
    """Documents that have the name again under which they could be opened."""


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
            copied, lost, named = _copy(path, fresh, say)
            _check(fresh)
            kept = _swap(path, fresh)
    finally:
        fresh.unlink(missing_ok=True)
    return Salvaged(kept, copied, lost, tuple(named))


def _copy(path: Path, fresh: Path, say: Callable[[str], None]) -> tuple[dict[str, int], dict[str, int], list[str]]:
    named: list[str] = []
    copied: dict[str, int] = {}
    lost: dict[str, int] = {}
    with closing(sqlite3.connect(f"file:{quote(str(fresh))}", uri=True, isolation_level=None)) as new:
        new.execute("ATTACH ? AS old", (f"file:{quote(str(path))}?mode=ro",))
        schema = new.execute(
            "SELECT type, name, sql FROM old.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        last_ids = _last_ids(new)
        # In a transaction SQLite writes nothing more once it has met a damaged page, so there is none.
        new.execute("PRAGMA main.synchronous=OFF")
        tables = [(name, sql) for kind, name, sql in schema if kind == "table"]
        for _, sql in tables:
            new.execute(sql)
        for name, _ in tables:
            say(f"copying the table {name}")
            key = _key(new, name)
            ids = _indexed(new, name if key == "rowid" else "documents")
            begin, end = min(1, *ids) if ids else 1, _last(new, name, key, last_ids)
            lost[name] = sum(_copy_range(new, name, key, begin, end, ids))
            if key == "rowid" and end:
                last_ids[name] = end
            if name == "documents":
                named = _name_documents(new)
            (copied[name],) = new.execute(f"SELECT count(*) FROM main.{name}").fetchone()
        for kind, _, sql in schema:
            if kind != "table":
                new.execute(sql)
        # An id is never used again, even that of a row that was lost (S5).
        new.execute("DELETE FROM main.sqlite_sequence")
        new.executemany("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", last_ids.items())
    return copied, lost, named


def _last_ids(new: sqlite3.Connection) -> dict[str, int]:
    """Return the highest id that each table ever had, as far as that can be read."""
    try:
        found = new.execute("SELECT name, seq FROM old.sqlite_sequence").fetchall()
    except sqlite3.DatabaseError as error:
        _insist_on_damage(error)
        return {}
    return {name: seq for name, seq in found if isinstance(name, str) and isinstance(seq, int)}


def _key(new: sqlite3.Connection, table: str) -> str:
    """Return by what a table is copied: only that of client ids has no ids, and goes document by document."""
    try:
        new.execute(f"SELECT rowid FROM main.{table} LIMIT 0")
    except sqlite3.OperationalError:
        return "document_id"
    return "rowid"


def _last(new: sqlite3.Connection, table: str, key: str, last_ids: Mapping[str, int]) -> int:
    """Return the last key that a table may have: what was noted of it may be damaged, or it, or its index."""
    found = [last_ids.get(table if key == "rowid" else "documents", 0)]
    indexes = [name for _, name, *_ in new.execute(f"PRAGMA old.index_list({table})")]
    for source in ("", *(f"INDEXED BY {name}" for name in indexes if key == "rowid")):
        try:
            (last,) = new.execute(f"SELECT max({key}) FROM old.{table} {source}").fetchone()
        except sqlite3.DatabaseError as error:
            _insist_on_damage(error)
        else:
            found.append(last if isinstance(last, int) else 0)
    return max(found) or _last_before_damage(new, table, key)


def _indexed(new: sqlite3.Connection, table: str) -> list[int]:
    """Return the ids of a table's rows as an index has them, in ascending order; none if no index can be read."""
    for _, name, *_ in new.execute(f"PRAGMA old.index_list({table})").fetchall():
        try:
            found = new.execute(f"SELECT rowid FROM old.{table} INDEXED BY {name}").fetchall()
        except sqlite3.DatabaseError as error:
            _insist_on_damage(error)
        else:
            return sorted({id for (id,) in found if isinstance(id, int)})
    return []


def _last_before_damage(new: sqlite3.Connection, table: str, key: str) -> int:
    """Return the last key that is reached from the first, 0 if none is."""
    last = 0
    try:
        for (last,) in new.execute(f"SELECT {key} FROM old.{table} ORDER BY {key}"):  # noqa: B007 - the last one is wanted
            pass
    except sqlite3.DatabaseError as error:
        _insist_on_damage(error)
    return last


def _name_documents(new: sqlite3.Connection) -> list[str]:
    """Give documents the names under which they were found, which the index has; return those that changed.

    Opening a document asks the index, so what the table says otherwise nobody has ever read there.
    """
    try:
        indexed = new.execute(
            "SELECT id, CAST(name AS BLOB) FROM old.documents INDEXED BY sqlite_autoindex_documents_1"
        ).fetchall()
    except sqlite3.DatabaseError as error:
        _insist_on_damage(error)
        return []
    here = dict(new.execute("SELECT id, CAST(name AS BLOB) FROM main.documents").fetchall())
    typed = {id for (id,) in new.execute("SELECT id FROM main.documents WHERE typeof(name) = 'text'")}
    changed = {id: raw.decode() for id, raw in indexed if is_text(raw) and not (here.get(id) == raw and id in typed)}
    # What is damaged may be another's name; until it gets its own each has one that nobody else can have.
    new.executemany("UPDATE main.documents SET name = CAST(id AS BLOB) WHERE id = ?", ((id,) for id in changed))
    for id, name in changed.items():
        if id in here:
            new.execute("UPDATE OR IGNORE main.documents SET name = ? WHERE id = ?", (name, id))
        else:
            row = (id, name, secrets.token_hex(16), time.time())
            new.execute("INSERT OR IGNORE INTO main.documents (id, name, lineage, created_at) VALUES (?, ?, ?, ?)", row)
    return list(changed.values())


def _insist_on_damage(error: sqlite3.DatabaseError) -> None:
    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
        raise error


def _copy_range(
    new: sqlite3.Connection, table: str, key: str, first: int, last: int, ids: Sequence[int]
) -> Iterator[int]:
    """Copy what stands between two keys, both included; yield 1 for each key at which something cannot be read.

    What an index knows of is gone to by its `ids`; where it knows of none, or there is none, it is halved.
    """
    # A column that must have a value may have lost it, and a row is more than that. (-1 is no kind of row.)
    columns = ", ".join(
        f"coalesce({name}, CASE '{kind}' WHEN 'TEXT' THEN '' WHEN 'BLOB' THEN x'' ELSE -1 END)" if needed else name
        for _, name, kind, needed, *_ in new.execute(f"PRAGMA main.table_info({table})")
    )
    # Of a page that was cut off, rows are left in which nothing is.
    rest = ", ".join(name for _, name, *_ in new.execute(f"PRAGMA main.table_info({table})") if name != "id")
    something = f"coalesce({rest}, NULL) IS NOT NULL"
    # A range without a key cannot be halved: one that cannot be read would stay for ever.
    ranges = [(first, last)] if first <= last else []
    failures = 0
    while ranges:
        low, high = ranges.pop()
        try:
            # A statement that fails in its middle leaves nothing. Ignored are rows that stand there twice.
            # A range looks at what stands behind it, which may be on a damaged page.
            here = f"{key} BETWEEN ? AND ?" if low < high else f"{key} = ?"
            new.execute(
                f"INSERT OR IGNORE INTO main.{table} SELECT {columns} FROM old.{table} WHERE {here} AND {something}",
                (low, high) if low < high else (low,),
            )
        except sqlite3.DatabaseError as error:
            _insist_on_damage(error)
            failures += 1
            begin, end = bisect_left(ids, low), bisect_right(ids, high)
            if low == high or (begin == end and high - low < 1 << 8 * (failures // MOST_FAILURES)):
                yield 1
            elif begin == end:
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]
            elif low < ids[begin] or ids[end - 1] < high:
                # What the index has, and the gaps beside that: there may be rows that it lacks.
                around = ((low, ids[begin] - 1), (ids[begin], ids[end - 1]), (ids[end - 1] + 1, high))
                ranges += [(first, last) for first, last in reversed(around) if first <= last]
            else:
                middle = ids[(begin + end - 1) // 2]
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
    except OSError as error:
        raise DatabaseUnusableError(f"the database {path} cannot be rebuilt: {error.strerror}") from error
