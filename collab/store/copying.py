"""Copying tables of a damaged SQLite file, row by row where that has to be, into a new one.

Every function takes a connection to the new file (`main`) to which the damaged one is attached (`old`). Not for what
the rows say of one another (`reconciling`), or for the file as a whole (`salvage`).
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, Final

from collab.store.tables import metadata

MOST_FAILURES: Final = 50_000
"""Ranges that cannot be read: from so many on, one of which no index knows a row is given up if it has 256 keys, from
twice as many on if it has 65,536, and so on."""

_ROWID_NAMES: Final = ("rowid", "_rowid_", "oid")


def quoted(name: str) -> str:
    """Return a name as SQL has it, whatever is in it."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def is_ours(table: str) -> bool:
    """Whether it is one of this release's tables; an operator may have any beside them."""
    return table in metadata.tables


def code_of(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary result code; None if the module itself complains."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def insist_on_damage(error: sqlite3.DatabaseError) -> None:
    """Raise what is no damage."""
    if code_of(error) != sqlite3.SQLITE_CORRUPT:
        raise error


def text(raw: bytes) -> str:
    """Return a text as it is, whether it is UTF-8 or not: a connection's `text_factory`."""
    return raw.decode(errors="surrogateescape")


def is_utf8(value: object) -> bool:
    """Whether it is a text, and can be written as one."""
    return isinstance(value, str) and not any("\udc80" <= character <= "\udcff" for character in value)


def found(new: sqlite3.Connection, query: str, *values: object) -> list[Any]:
    """Return what is found, by an index perhaps: nothing if that is damaged, or missing, or has not every row."""
    try:
        return new.execute(query, values).fetchall()
    except sqlite3.DatabaseError as error:
        if code_of(error) != sqlite3.SQLITE_ERROR:
            insist_on_damage(error)
        return []


def columns_of(new: sqlite3.Connection, table: str) -> list[str]:
    """Return the columns of a table that is made already, as SQL has them."""
    return [quoted(name) for _, name, *_ in new.execute(f"PRAGMA main.table_info({quoted(table)})")]


def indexes_of(new: sqlite3.Connection, table: str) -> list[str]:
    """Return the indexes that a table had, as SQL has them."""
    return [quoted(name) for _, name, *_ in new.execute(f"PRAGMA old.index_list({quoted(table)})")]


def last_ids(new: sqlite3.Connection) -> dict[str, int]:
    """Return the highest id that each table ever had, as far as that can be read."""
    noted = found(new, "SELECT name, seq FROM old.sqlite_sequence")
    return {name: seq for name, seq in noted if isinstance(name, str) and isinstance(seq, int)}


def make_tables(new: sqlite3.Connection, tables: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Make tables of these names and statements; return those whose rows have to be copied."""
    virtual = [(name, sql) for name, sql in tables if sql.upper().startswith("CREATE VIRTUAL")]
    for _, sql in virtual:
        # Without its module it cannot be had; what it keeps, which are tables as others, is copied all the same.
        try:
            new.execute(sql)
        except sqlite3.OperationalError as error:
            if code_of(error) != sqlite3.SQLITE_ERROR:
                raise
    plain = [each for each in tables if each not in virtual]
    for name, sql in plain:
        if new.execute("SELECT 1 FROM main.sqlite_schema WHERE name = ?", (name,)).fetchone():
            new.execute(f"DELETE FROM main.{quoted(name)}")  # of a virtual one, which begins with some rows
        else:
            new.execute(sql)
    return plain


def copy(
    new: sqlite3.Connection, table: str, sql: str, last: MutableMapping[str, int], target: str | None = None
) -> int:
    """Copy a table, made by `sql`, into a target; return how many ids are lost, and note the last one.

    Lost is an id behind which something cannot be read, and one that an index has and the copy has not.
    """
    into = target or f"main.{quoted(table)}"
    key = _key(new, table)
    if key is None:
        return _copy_from_both_ends(new, table)
    ids = _indexed(new, table if key != "document_id" else "documents")
    begin, end = _first(new, table, key, ids), _last(new, table, key, last)
    lost = sum(_copy_range(new, table, into, key, begin, end, ids))
    if key == "document_id":
        return lost + len(_missing_keys(new, table))
    if end and "AUTOINCREMENT" in sql.upper():
        last[table] = end
    id = "id" if target else key
    if missing := set(ids) - _ids(new, into, id):
        # A range ends at an id beyond it, wherever that stands: one that is damaged hides all that stand behind it.
        # Of documents only those that an index knows: a scan may end up on another table's pages.
        _copy_what_a_scan_finds(new, table, into, id, missing if target else None)
        missing -= _ids(new, into, id)
    return lost if target else lost + len(missing)


def _ids(new: sqlite3.Connection, table: str, key: str) -> set[int]:
    return {id for (id,) in new.execute(f"SELECT {key} FROM {table}")}


def _copy_what_a_scan_finds(new: sqlite3.Connection, table: str, into: str, key: str, only: set[int] | None) -> None:
    """Copy the rows that are not here yet, or `only` those of them, from the first on, up to what is damaged."""
    here = _ids(new, into, key)
    _, names, values, something = _parts(new, table, key)
    query = f"SELECT {key}, {', '.join(values)} FROM old.{quoted(table)} NOT INDEXED WHERE {something}"
    try:
        for id, *row in new.execute(query):
            if id not in here and (only is None or id in only):
                _insert(new, into, names, row)
    except sqlite3.DatabaseError as error:
        insist_on_damage(error)


def _insert(new: sqlite3.Connection, into: str, names: Sequence[str], row: Sequence[Any]) -> None:
    odd = [isinstance(value, str) and not is_utf8(value) for value in row]
    blanks = ", ".join("CAST(? AS TEXT)" if each else "?" for each in odd)
    values = [value.encode(errors="surrogateescape") if each else value for value, each in zip(row, odd, strict=True)]
    new.execute(f"INSERT OR IGNORE INTO {into} ({', '.join(names)}) VALUES ({blanks})", values)


def _indexed(new: sqlite3.Connection, table: str) -> list[int]:
    """Return the ids of a table's rows as its indexes have them, in ascending order; none if no index can be read."""
    key, ids = _key(new, table), set[int]()
    for name in indexes_of(new, table):
        ids.update(
            id
            for (id,) in found(new, f"SELECT {key} FROM old.{quoted(table)} INDEXED BY {name}")
            if isinstance(id, int)
        )
    return sorted(ids)


def _missing_keys(new: sqlite3.Connection, table: str) -> set[tuple[object, ...]]:
    """Return what another index has of a table without ids, and the copy has not."""
    info = new.execute(f"PRAGMA main.table_info({quoted(table)})").fetchall()
    keys = ", ".join(quoted(name) for _, name, _, _, _, place in sorted(info, key=itemgetter(5)) if place)
    here = set(new.execute(f"SELECT {keys} FROM main.{quoted(table)}").fetchall())
    missing = set[tuple[object, ...]]()
    for _, name, _, origin, *_ in new.execute(f"PRAGMA old.index_list({quoted(table)})").fetchall():
        if origin != "pk":
            missing.update(found(new, f"SELECT {keys} FROM old.{quoted(table)} INDEXED BY {quoted(name)}"))
    return missing - here


def _key(new: sqlite3.Connection, table: str) -> str | None:
    """Return by which integers a table is copied: ours without ids go document by document; None if there are none."""
    # An operator may have called a column so.
    taken = {name.strip('"').lower() for name in columns_of(new, table)}
    for name in _ROWID_NAMES:
        if name not in taken:
            with suppress(sqlite3.OperationalError):
                new.execute(f"SELECT {name} FROM main.{quoted(table)} LIMIT 0")
                return name
    return "document_id" if is_ours(table) else None


def _first(new: sqlite3.Connection, table: str, key: str, ids: Sequence[int]) -> int:
    """Return the first key that a table may have. Of ours none is below 1, unless it is damaged."""
    firsts = [] if is_ours(table) else found(new, f"SELECT min({key}) FROM old.{quoted(table)}")
    return min([1, *ids[:1], *(first for (first,) in firsts if isinstance(first, int))])


def _last(new: sqlite3.Connection, table: str, key: str, noted: MutableMapping[str, int]) -> int:
    """Return the last key that a table may have: what was noted of it may be damaged, or it, or its index."""
    known = [noted.get(table if key != "document_id" else "documents", 0)]
    for source in ("", *(f"INDEXED BY {name}" for name in indexes_of(new, table) if key != "document_id")):
        lasts = found(new, f"SELECT max({key}) FROM old.{quoted(table)} {source}")
        known += [last for (last,) in lasts if isinstance(last, int)]
    return max(known) or _last_before_damage(new, table, key)


def _last_before_damage(new: sqlite3.Connection, table: str, key: str) -> int:
    """Return the last key that is reached from the first, 0 if none is."""
    last = 0
    try:
        for (last,) in new.execute(f"SELECT {key} FROM old.{quoted(table)} ORDER BY {key}"):  # noqa: B007 - the last one is wanted
            pass
    except sqlite3.DatabaseError as error:
        insist_on_damage(error)
    return last


def _copy_range(
    new: sqlite3.Connection, table: str, into: str, key: str, first: int, last: int, ids: Sequence[int]
) -> Iterator[int]:
    """Copy what stands between two keys, both included; yield 1 for each at which something cannot be read.

    But for those in `ids`, of which it is known anyway whether they were copied. What an index knows of is gone to by
    its `ids`; where it knows of none, or there is none, it is halved.
    """
    copying = _copying(new, table, into, key)
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
            insist_on_damage(error)
            failures += 1
            begin, end = bisect_left(ids, low), bisect_right(ids, high)
            if low == high or (begin == end and high - low < 1 << 8 * (failures // MOST_FAILURES)):
                yield int(begin == end or key == "document_id")
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


def _copying(new: sqlite3.Connection, table: str, into: str, key: str) -> str:
    """Return the statement that copies rows, up to which ones."""
    name, names, values, something = _parts(new, table, key)
    return (
        f"INSERT OR IGNORE INTO {into} ({', '.join(names)}) "
        f"SELECT {', '.join(values)} FROM old.{name} WHERE {something} AND"
    )


def _parts(new: sqlite3.Connection, table: str, key: str) -> tuple[str, list[str], list[str], str]:
    """Return a table's name, its columns, what to copy into each, and what is true of a row; all as SQL has it."""
    info = new.execute(f"PRAGMA main.table_info({quoted(table)})").fetchall()
    # A column that must have a value may have lost it, and a row is more than that. (-1 is no kind of row.)
    values = [
        f"coalesce({quoted(name)}, CASE {_literal(kind)} WHEN 'TEXT' THEN '' WHEN 'BLOB' THEN x'' ELSE -1 END)"
        if needed
        else quoted(name)
        for _, name, kind, needed, *_ in info
    ]
    names = [quoted(name) for _, name, *_ in info]
    if key != "document_id" and [kind.upper() for _, _, kind, _, _, place in info if place] != ["INTEGER"]:
        # Its ids are in no column, and its indexes have them.
        names.append(key)
        values.append(key)
    # Of a page that was cut off, rows are left in which nothing is. Of an operator's, nobody knows what must be there.
    rest = [quoted(name) for _, name, *_ in info if name != "id"]
    something = f"coalesce({', '.join(rest)}, NULL) IS NOT NULL" if is_ours(table) else "TRUE"
    return quoted(table), names, values, something


def _copy_from_both_ends(new: sqlite3.Connection, table: str) -> int:
    """Copy an operator's table that has no ids, up to a damaged page and back to it; return whether there is one."""
    info = new.execute(f"PRAGMA main.table_info({quoted(table)})").fetchall()
    names = [quoted(name) for _, name, *_ in info]
    keys = [quoted(name) for _, name, _, _, _, place in sorted(info, key=itemgetter(5)) if place]
    damaged = 0
    for direction in ("ASC", "DESC"):
        order = f"ORDER BY {', '.join(f'{key} {direction}' for key in keys)}" if keys else ""
        try:
            for row in new.execute(f"SELECT {', '.join(names)} FROM old.{quoted(table)} {order}"):
                _insert(new, f"main.{quoted(table)}", names, row)
        except sqlite3.DatabaseError as error:
            insist_on_damage(error)
            damaged = 1
        else:
            break
        if not keys:
            break  # there is no way from the other end
    return damaged


def _literal(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
