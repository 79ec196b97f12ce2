"""A database read whole, by whoever has to rely on it: its file, its tables, and each of its documents.

Not for: copying or mending it. The rule is B3 of docs/spec.md.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import StaticPool, create_engine

from collab.core.ports import DocumentId
from collab.errors import BackupError, CollabError
from collab.loading import readable_of
from collab.sandbox import Sandbox
from collab.store import migrate
from collab.store.base import LogRow, RowKind
from collab.store.leftovers import insist_on_both

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""

_BATCH_BYTES: Final = 8 << 20
_BATCH_DOCUMENTS: Final = 500
"""What one call of the sandbox replays: enough that the call itself doesn't count."""

_REPLAY_SECONDS: Final = 120.0
"""For one batch; the largest document that we know takes less than one."""

_LOCK_SECONDS: Final = 10.0
"""How long another process may hold the lock of a file that is read."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database was found to hold."""

    documents: int
    damaged: tuple[tuple[DocumentId, str], ...]
    """The documents that cannot be read, and why not."""


def reading_only(path: Path) -> sqlite3.Connection:
    """Open a database so that nothing of it is written, whatever happens.

    A file that is open for reading only takes no lock that a checkpoint needs, also not at the end: two
    connections that write and checkpoint at once can damage it (hazards S1).
    """
    insist_on_both(path)
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_LOCK_SECONDS, isolation_level=None)


def verify(path: Path, origin: Path, progress: Progress) -> Contents:
    """Read everything that a copy holds (B3); `origin` is what the operator calls it.

    Raises:
        BackupError: it is damaged, or no database of ours.
        DatabaseTooNewError, DatabaseUnusableError: its tables are another release's or program's.
    """
    engine = create_engine("sqlite://", creator=lambda: reading_only(path), poolclass=StaticPool)
    try:
        with closing(reading_only(path)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if found != ("ok",):
                raise BackupError(f"the database {origin} is damaged: {found[0]}")
            with engine.connect() as ours:
                if migrate.revision(ours, str(origin)) is None:
                    raise BackupError(f"the database {origin} is empty")
            documents = connection.execute(_SIZES).fetchall()
    except sqlite3.DatabaseError as error:
        raise BackupError(f"the database {origin} cannot be read: {error}") from error
    finally:
        engine.dispose()
    return Contents(len(documents), tuple(asyncio.run(_replay_all(path, documents, progress))))


_SIZES: Final = (
    "SELECT documents.id, documents.name, coalesce(sum(length(log.data)), 0)"
    " FROM documents LEFT JOIN log ON log.document_id = documents.id GROUP BY documents.id ORDER BY documents.id"
)

_Sized = tuple[int, str, int]
"""Id, name and bytes of a document."""


async def _replay_all(path: Path, documents: Sequence[_Sized], progress: Progress) -> list[tuple[DocumentId, str]]:
    sandbox = Sandbox(seconds=_REPLAY_SECONDS)
    damaged: list[tuple[DocumentId, str]] = []
    done = 0
    for batch in _batches(documents):
        try:
            damaged += await sandbox.run(replay, str(path), batch)
        except CollabError:
            # One of them killed the process, or took too long: which one?
            for document in batch:
                try:
                    damaged += await sandbox.run(replay, str(path), [document])
                except CollabError as error:
                    damaged.append((DocumentId(document[1]), str(error)))
        done += len(batch)
        progress("read", done, len(documents))
    return damaged


def _batches(documents: Sequence[_Sized]) -> Iterator[list[_Sized]]:
    batch: list[_Sized] = []
    size = 0
    for document in documents:
        if batch and (size + document[2] > _BATCH_BYTES or len(batch) == _BATCH_DOCUMENTS):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += document[2]
    if batch:
        yield batch


def replay(path: str, documents: Sequence[_Sized]) -> list[tuple[DocumentId, str]]:
    """Return those of some documents that cannot be made of their rows, and why not."""
    query = "SELECT id, kind, data, author, created_at FROM log WHERE document_id = ? ORDER BY id"
    damaged = []
    with closing(reading_only(Path(path))) as connection:
        for number, name, _ in documents:
            document = DocumentId(name)
            try:
                rows = [LogRow(row, RowKind(kind), *rest) for row, kind, *rest in connection.execute(query, (number,))]
                readable_of(document, rows).full_state()
            except (CollabError, ValueError, TypeError, sqlite3.Error) as error:
                damaged.append((document, str(error)))
    return damaged
