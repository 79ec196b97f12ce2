"""Rows of a damaged SQLite file that contradict its indexes: whose they are, and what documents are called.

A flipped bit may be in a table or in an index. People read by the indexes, so what these say is kept, unless
the client ids in the rows tell that they are wrong. Every function takes a connection to the new file (`main`) to
which the damaged one is attached (`old`), after its tables were copied. Not for what rows say (`collab.doctor`).
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from collab.core.inspection import read
from collab.errors import CollabError
from collab.names import document_id
from collab.store.census import is_text
from collab.store.copying import columns_of, found, is_utf8
from collab.store.history import unpack

FOUND: Final = "temp.found_documents"
"""Where documents are copied to first: two may have one name there, or one id."""

_BELONGING: Final = ("log", "history", "damaged", "links")
_ALSO_BELONGING: Final = ("clients", "grants")


@dataclass(slots=True)
class Reconciled:
    """What was put right, and what could not be. Documents by their names."""

    named: list[str] = field(default_factory=list)
    """Those that have the name again under which they could be opened."""
    renewed: list[str] = field(default_factory=list)
    """Those of which nothing but their name was left, and their owner perhaps: they have another lineage."""
    moved: dict[str, int] = field(default_factory=dict)
    """How many rows they have which the file had under another document, too."""
    missed: dict[str, dict[str, int]] = field(default_factory=dict)
    """How many rows of which tables they had by an index, and have no more."""
    lost: dict[str, int] = field(default_factory=dict)
    """By table: rows that were not taken, since nobody could tell whose they are."""


def make_room(new: sqlite3.Connection) -> None:
    """Make the table into which documents are copied first."""
    new.execute("CREATE TEMP TABLE found_documents AS SELECT * FROM main.documents LIMIT 0")


def reconcile(new: sqlite3.Connection, tables: Iterable[str]) -> Reconciled:
    """Make the documents of those that were found, and give every row of these tables its own."""
    done = Reconciled()
    _Documents(new, done).place()
    for table in (table for table in _BELONGING if table in tables):
        owners = _owners(new, table)
        _move(new, table, owners, done)
        _count_missed(new, table, owners, done)
    return done


# ---- documents ----


class _Documents:
    """Gives each document that was found an id and a name that nothing contradicts."""

    def __init__(self, new: sqlite3.Connection, done: Reconciled) -> None:
        self._new = new
        self._done = done
        pairs = found(new, "SELECT id, CAST(name AS BLOB) FROM old.documents INDEXED BY sqlite_autoindex_documents_1")
        ids, names = Counter(id for id, _ in pairs), Counter(name for _, name in pairs)
        self._by_id = {id: name for id, name in pairs if ids[id] == names[name] == 1 and _can_be_opened(name)}
        self._by_name = {name: id for id, name in self._by_id.items()}
        self._used = {
            id
            for table in (*_BELONGING, *_ALSO_BELONGING)
            for (id,) in found(new, f"SELECT DISTINCT document_id FROM main.{table}")
        }
        self._used |= {
            id for id, *_ in found(new, "SELECT DISTINCT document_id FROM old.log INDEXED BY ix_log_document_id")
        }
        self._placed: set[int] = set()
        self._others = ", ".join(name for name in columns_of(new, "documents") if name not in ('"id"', '"name"'))

    def place(self) -> None:
        """Place all; first those of which table and index say the same."""
        query = f"SELECT rowid, id, CAST(name AS BLOB), typeof(name) = 'text' FROM {FOUND}"
        rows = [(at, id, name if text else None) for at, id, name, text in self._new.execute(query)]
        rows = [row for row in rows if not (self._is_agreed(row) and self._place_as_it_is(row))]
        rows = [row for row in rows if not self._place_under_its_name(row)]
        rows = [row for row in rows if not self._place_under_its_id(row)]
        rows = [row for row in rows if not self._place_as_it_is(row)]
        for at, id, _ in rows:
            if id in self._placed or not self._insert(at, id, f"CAST({id} AS BLOB)"):
                self._done.lost["documents"] = self._done.lost.get("documents", 0) + 1
        self._make_those_of_which_only_the_name_is_left()

    def _is_agreed(self, row: tuple[int, int, bytes | None]) -> bool:
        return row[2] is not None and self._by_id.get(row[1]) == row[2]

    def _place_as_it_is(self, row: tuple[int, int, bytes | None]) -> bool:
        return row[1] not in self._placed and self._insert(row[0], row[1], "name")

    def _place_under_its_name(self, row: tuple[int, int, bytes | None]) -> bool:
        """Place one whose id is damaged: the index has another one for its name, which rows belong to."""
        at, id, name = row
        indexed = None if name is None else self._by_name.get(name)
        if indexed is None or indexed in self._placed or indexed not in self._used:
            return False
        return (id not in self._used or id in self._placed) and self._insert(at, indexed, "name")

    def _place_under_its_id(self, row: tuple[int, int, bytes | None]) -> bool:
        """Place one whose name is damaged."""
        at, id, _ = row
        name = self._by_id.get(id)
        if name is None or id in self._placed or not self._insert(at, id, "CAST(? AS TEXT)", name):
            return False
        self._done.named.append(name.decode())
        return True

    def _insert(self, at: int, id: int, name: str, *values: object) -> bool:
        inserted = self._new.execute(
            f"INSERT OR IGNORE INTO main.documents (id, name, {self._others}) "
            f"SELECT ?, {name}, {self._others} FROM {FOUND} WHERE rowid = ?",
            (id, *values, at),
        ).rowcount
        if inserted:
            self._placed.add(id)
        return bool(inserted)

    def _make_those_of_which_only_the_name_is_left(self) -> None:
        entries = found(self._new, "SELECT id, owner FROM old.documents INDEXED BY ix_documents_owner")
        times = Counter(id for id, _ in entries)
        owners = {id: owner for id, owner in entries if times[id] == 1 and is_utf8(owner)}
        for id, name in self._by_id.items():
            if id not in self._placed and id in self._used:
                row = (id, name.decode(), secrets.token_hex(16), time.time())
                columns = "id, name, lineage, created_at, owner"
                made = self._new.execute(
                    f"INSERT OR IGNORE INTO main.documents ({columns}) VALUES (?, ?, ?, ?, ?)", (*row, owners.get(id))
                ).rowcount
                if made:
                    self._done.renewed.append(name.decode())


def _can_be_opened(name: object) -> bool:
    if not isinstance(name, bytes) or not is_text(name):
        return False
    try:
        document_id(name.decode())
    except CollabError:
        return False
    return True


# ---- whose rows are ----


def _owners(new: sqlite3.Connection, table: str) -> Mapping[int, int]:
    """Return to which document each row belongs, as the index has it that it is read by."""
    pairs = found(new, f"SELECT id, document_id FROM old.{table} INDEXED BY ix_{table}_document_id")
    times = Counter(id for id, _ in pairs)
    return {id: document for id, document in pairs if times[id] == 1 and isinstance(document, int)}


def _move(new: sqlite3.Connection, table: str, owners: Mapping[int, int], done: Reconciled) -> None:
    """Give rows to the document of which they were read; of a share link nobody can tell whose it is."""
    names, clients = _names(new), _Clients(new)
    for id, said in new.execute(f"SELECT id, document_id FROM main.{table}").fetchall():
        indexed = owners.get(id, said)
        if indexed == said or indexed not in names:
            continue
        if table == "links":
            new.execute("DELETE FROM main.links WHERE id = ?", (id,))
            done.lost[table] = done.lost.get(table, 0) + 1
            continue
        if said in names and not clients.speak_against(table, id, said, indexed):
            indexed = said
        new.execute(f"UPDATE main.{table} SET document_id = ? WHERE id = ?", (indexed, id))
        done.moved[names[indexed]] = done.moved.get(names[indexed], 0) + 1


class _Clients:
    """Tells by client ids in which of two documents a row was written."""

    def __init__(self, new: sqlite3.Connection) -> None:
        self._new = new
        self._known: dict[int, list[tuple[int | None, frozenset[int]]]] = {}
        """By document: the client ids of each row of its log, and those that are its own for ever (S8)."""

    def speak_against(self, table: str, id: int, said: int, indexed: int) -> bool:
        """Whether a row is rather of the document that the index has than of the one that the table says.

        If nothing speaks for either, people read it where the index has it, if a search for it finds it there.
        """
        # What was set aside may say anything.
        query = f"SELECT data FROM main.{table} WHERE id = ?"
        clients = frozenset() if table == "damaged" else _clients_in(table, *self._new.execute(query, (id,)).fetchone())
        but = id if table == "log" else None
        here, there = [len(clients & self._of(document, but)) for document in (said, indexed)]
        if here != there:
            return there > here
        where = "WHERE document_id = ? AND id = ?"
        return bool(
            found(self._new, f"SELECT 1 FROM old.{table} INDEXED BY ix_{table}_document_id {where}", indexed, id)
        )

    def _of(self, document: int, but: int | None) -> set[int]:
        """Return the client ids of a document, without those of one row."""
        if document not in self._known:
            # An older release had no such table.
            own = found(self._new, "SELECT client_id FROM main.clients WHERE document_id = ?", document)
            rows = self._new.execute("SELECT id, data FROM main.log WHERE document_id = ?", (document,))
            self._known[document] = [
                (None, frozenset(client for (client,) in own)),
                *((id, _clients_in("log", data)) for id, data in rows),
            ]
        return set().union(*(clients for id, clients in self._known[document] if id is None or id != but))


def _clients_in(table: str, data: object) -> frozenset[int]:
    """Return the client ids of a row of the log, or of all that a segment of the history has; none if it is damaged."""
    if not isinstance(data, bytes):
        return frozenset()
    try:
        updates = [data] if table == "log" else [row.data for row in unpack(data)]
        inspected = [read(update) for update in updates]
        # What only deletes names those of whom it deletes.
        return frozenset(run[0] for each in inspected for run in (*each.runs, *each.deletes, *each.needs))
    except CollabError:
        return frozenset()


def _count_missed(new: sqlite3.Connection, table: str, owners: Mapping[int, int], done: Reconciled) -> None:
    here = {id for (id,) in new.execute(f"SELECT id FROM main.{table}")}
    names = _names(new)
    for id, document in owners.items():
        if id not in here and document in names:
            missed = done.missed.setdefault(names[document], {})
            missed[table] = missed.get(table, 0) + 1


def _names(new: sqlite3.Connection) -> dict[int, str]:
    documents = new.execute("SELECT id, CAST(name AS BLOB) FROM main.documents")
    return {id: name.decode(errors="replace") for id, name in documents}
