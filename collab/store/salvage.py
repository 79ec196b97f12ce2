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
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from collab.errors import DatabaseUnusableError
from collab.store.census import is_text
from collab.store.readonly import too_broken, unusable
from collab.store.tables import metadata

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
    missed: Mapping[str, int]
    """How many rows of which documents the log had by its index, and has no more."""


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
            copied, lost, named, missed = _copy(path, fresh, say)
            _check(fresh)
            kept = _swap(path, fresh)
    finally:
        fresh.unlink(missing_ok=True)
    return Salvaged(kept, copied, lost, tuple(named), missed)


def _copy(
    path: Path, fresh: Path, say: Callable[[str], None]
) -> tuple[dict[str, int], dict[str, int], list[str], dict[str, int]]:
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
        for name, sql in _make_tables(new, tables):
            say(f"copying the table {name}")
            key = _key(new, name)
            if key is None:
                lost[name] = _copy_from_both_ends(new, name)
            else:
                ids = _indexed(new, name if key == "rowid" else "documents")
                begin, end = _first(new, name, ids), _last(new, name, key, last_ids)
                lost[name] = sum(_copy_range(new, name, key, begin, end, ids))
                if key == "rowid":
                    lost[name] += len(set(ids).difference(id for (id,) in _ids(new, name)))
                    if end and "AUTOINCREMENT" in sql.upper():
                        last_ids[name] = end
            if name == "documents":
                named = _name_documents(new)
            (copied[name],) = new.execute(f"SELECT count(*) FROM main.{_quoted(name)}").fetchone()
        missed = _missed(new)
        for kind, _, sql in schema:
            if kind != "table":
                new.execute(sql)
        # An id is never used again, even that of a row that was lost (S5).
        new.execute("DELETE FROM main.sqlite_sequence")
        new.executemany("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", last_ids.items())
    return copied, lost, named, missed


def _make_tables(new: sqlite3.Connection, tables: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Make the tables; return those whose rows have to be copied. An operator may have any beside ours."""
    virtual = [(name, sql) for name, sql in tables if sql.upper().startswith("CREATE VIRTUAL")]
    for _, sql in virtual:
        # Without its module it cannot be had; what it keeps, which are tables as others, is copied all the same.
        with suppress(sqlite3.OperationalError):
            new.execute(sql)
    plain = [each for each in tables if each not in virtual]
    for name, sql in plain:
        if new.execute("SELECT 1 FROM main.sqlite_schema WHERE name = ?", (name,)).fetchone():
            new.execute(f"DELETE FROM main.{_quoted(name)}")  # of a virtual one, which begins with some rows
        else:
            new.execute(sql)
    return plain


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _is_ours(table: str) -> bool:
    return table in metadata.tables


def _ids(new: sqlite3.Connection, table: str) -> sqlite3.Cursor:
    return new.execute(f"SELECT rowid FROM main.{_quoted(table)}")


def _missed(new: sqlite3.Connection) -> dict[str, int]:
    """Return of which documents there were rows in the log, as its index has it, that are not in the copy."""
    indexed = _found(new, "SELECT rowid, document_id FROM old.log INDEXED BY ix_log_document_id")
    names = dict(new.execute("SELECT id, CAST(name AS BLOB) FROM main.documents").fetchall())
    here = {id for (id,) in _ids(new, "log")}
    missed: dict[str, int] = {}
    for id, document in indexed:
        if id not in here and document in names:
            name = names[document].decode(errors="replace")
            missed[name] = missed.get(name, 0) + 1
    return missed


def _found(new: sqlite3.Connection, query: str) -> list[Any]:
    """Return what is found, by an index perhaps: nothing if that is damaged, or missing, or has not every row."""
    try:
        return new.execute(query).fetchall()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            _insist_on_damage(error)
        return []


def _last_ids(new: sqlite3.Connection) -> dict[str, int]:
    """Return the highest id that each table ever had, as far as that can be read."""
    try:
        found = new.execute("SELECT name, seq FROM old.sqlite_sequence").fetchall()
    except sqlite3.DatabaseError as error:
        _insist_on_damage(error)
        return {}
    return {name: seq for name, seq in found if isinstance(name, str) and isinstance(seq, int)}


def _key(new: sqlite3.Connection, table: str) -> str | None:
    """Return by which integers a table is copied: ours without ids go document by document; None if there are none."""
    try:
        new.execute(f"SELECT rowid FROM main.{_quoted(table)} LIMIT 0")
    except sqlite3.OperationalError:
        return "document_id" if _is_ours(table) else None
    return "rowid"


def _first(new: sqlite3.Connection, table: str, ids: Sequence[int]) -> int:
    """Return the first key that a table may have. Of ours none is below 1, unless it is damaged."""
    firsts = [] if _is_ours(table) else _found(new, f"SELECT min(rowid) FROM old.{_quoted(table)}")
    return min([1, *ids[:1], *(first for (first,) in firsts if isinstance(first, int))])


def _last(new: sqlite3.Connection, table: str, key: str, last_ids: Mapping[str, int]) -> int:
    """Return the last key that a table may have: what was noted of it may be damaged, or it, or its index."""
    found = [last_ids.get(table if key == "rowid" else "documents", 0)]
    indexes = [name for _, name, *_ in new.execute(f"PRAGMA old.index_list({_quoted(table)})")]
    for source in ("", *(f"INDEXED BY {_quoted(name)}" for name in indexes if key == "rowid")):
        lasts = _found(new, f"SELECT max({key}) FROM old.{_quoted(table)} {source}")
        found += [last for (last,) in lasts if isinstance(last, int)]
    return max(found) or _last_before_damage(new, table, key)


def _indexed(new: sqlite3.Connection, table: str) -> list[int]:
    """Return the ids of a table's rows as its indexes have them, in ascending order; none if no index can be read."""
    ids: set[int] = set()
    for _, name, *_ in new.execute(f"PRAGMA old.index_list({_quoted(table)})").fetchall():
        found = _found(new, f"SELECT rowid FROM old.{_quoted(table)} INDEXED BY {_quoted(name)}")
        ids.update(id for (id,) in found if isinstance(id, int))
    return sorted(ids)


def _last_before_damage(new: sqlite3.Connection, table: str, key: str) -> int:
    """Return the last key that is reached from the first, 0 if none is."""
    last = 0
    try:
        for (last,) in new.execute(f"SELECT {key} FROM old.{_quoted(table)} ORDER BY {key}"):  # noqa: B007 - the last one is wanted
            pass
    except sqlite3.DatabaseError as error:
        _insist_on_damage(error)
    return last


def _name_documents(new: sqlite3.Connection) -> list[str]:
    """Give documents the names under which they were found, which the index has; return those that changed.

    Opening a document asks the index, so what the table says otherwise nobody has ever read there.
    """
    indexed = _found(new, "SELECT id, CAST(name AS BLOB) FROM old.documents INDEXED BY sqlite_autoindex_documents_1")
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
    """Copy what stands between two keys, both included; yield 1 for each at which something cannot be read.

    But for those in `ids`, of which it is known anyway whether they were copied. What an index knows of is gone to by
    its `ids`; where it knows of none, or there is none, it is halved.
    """
    # A column that must have a value may have lost it, and a row is more than that. (-1 is no kind of row.)
    info = new.execute(f"PRAGMA main.table_info({_quoted(table)})").fetchall()
    values = [
        f"coalesce({_quoted(name)}, CASE {_literal(kind)} WHEN 'TEXT' THEN '' WHEN 'BLOB' THEN x'' ELSE -1 END)"
        if needed
        else _quoted(name)
        for _, name, kind, needed, *_ in info
    ]
    names = [_quoted(name) for _, name, *_ in info]
    if key == "rowid" and [kind.upper() for _, _, kind, _, _, place in info if place] != ["INTEGER"]:
        # Its ids are in no column, and its indexes have them.
        names.append("rowid")
        values.append("rowid")
    # Of a page that was cut off, rows are left in which nothing is. Of an operator's, nobody knows what must be there.
    rest = [_quoted(name) for _, name, *_ in info if name != "id"]
    something = f"coalesce({', '.join(rest)}, NULL) IS NOT NULL" if _is_ours(table) else "TRUE"
    copying = (
        f"INSERT OR IGNORE INTO main.{_quoted(table)} ({', '.join(names)}) "
        f"SELECT {', '.join(values)} FROM old.{_quoted(table)} WHERE {something} AND"
    )
    # A range without a key cannot be halved: one that cannot be read would stay for ever.
    ranges = [(first, last)] if first <= last else []
    failures = 0
    while ranges:
        low, high = ranges.pop()
        try:
            # A statement that fails in its middle leaves nothing. Ignored are rows that stand there twice.
            # A range looks at what stands behind it, which may be on a damaged page.
            here = f"{key} BETWEEN ? AND ?" if low < high else f"{key} = ?"
            new.execute(f"{copying} {here}", (low, high) if low < high else (low,))
        except sqlite3.DatabaseError as error:
            _insist_on_damage(error)
            failures += 1
            begin, end = bisect_left(ids, low), bisect_right(ids, high)
            if low == high or (begin == end and high - low < 1 << 8 * (failures // MOST_FAILURES)):
                yield int(begin == end or key != "rowid")
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


def _copy_from_both_ends(new: sqlite3.Connection, table: str) -> int:
    """Copy an operator's table that has no ids, up to a damaged page and back to it; return whether there is one."""
    info = new.execute(f"PRAGMA main.table_info({_quoted(table)})").fetchall()
    names = ", ".join(_quoted(name) for _, name, *_ in info)
    keys = [_quoted(name) for _, name, _, _, _, place in sorted(info, key=itemgetter(5)) if place]
    damaged = 0
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{key} {direction}" for key in keys)
        try:
            for row in new.execute(f"SELECT {names} FROM old.{_quoted(table)} ORDER BY {order}"):
                blanks = ", ".join("?" * len(row))
                new.execute(f"INSERT OR IGNORE INTO main.{_quoted(table)} ({names}) VALUES ({blanks})", row)
        except sqlite3.DatabaseError as error:
            _insist_on_damage(error)
            damaged = 1
        else:
            break
    return damaged


def _literal(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


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
