"""A store that forgets everything when it goes: for tests, and for a server that is only being tried.

It keeps the same contract as the database (tests/contract/test_store.py), without threads or files.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from collab.core.ports import DocumentId, Entry
from collab.errors import UnavailableError
from collab.store import history
from collab.store.base import Archive, Compaction, Description, LogRow, RowKind, Segment, Store


@dataclass(slots=True)
class _Document:
    created_at: float
    lineage: str = field(default_factory=lambda: secrets.token_hex(16))
    rows: dict[int, LogRow] = field(default_factory=dict)
    clients: dict[int, str] = field(default_factory=dict)
    segments: dict[int, Segment] = field(default_factory=dict)


class MemoryStore(Store, Archive):
    """Owns every document that was appended to it."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._documents: dict[DocumentId, _Document] = {}
        self._ids = itertools.count(1)
        self._closed = False

    async def append(self, batch: Sequence[tuple[DocumentId, Entry]]) -> None:
        self._insist_on_open()
        now = self._clock()
        for name, entry in batch:
            document = self._documents.get(name)
            if document is None:
                document = self._documents[name] = _Document(now)
            row = LogRow(next(self._ids), RowKind.UPDATE, entry.data, entry.author, now)
            document.rows[row.id] = row
            for client in entry.clients:
                document.clients.setdefault(client, entry.author)

    async def create(self, document: DocumentId, entry: Entry) -> bool:
        self._insist_on_open()
        if document in self._documents:
            return False
        await self.append([(document, entry)])
        return True

    async def load(self, document: DocumentId, most_updates: int | None = None) -> Sequence[LogRow]:
        self._insist_on_open()
        rows = self._find(document).rows.values()
        beyond = {row.id for row in [row for row in rows if row.kind is RowKind.UPDATE][most_updates:]}
        return tuple(row for row in rows if most_updates is None or row.id not in beyond)

    async def compact(self, compaction: Compaction) -> bool:
        self._insist_on_open()
        document = self._documents.get(compaction.document)
        replaced = set(compaction.replaced)
        if document is None or not document.rows.keys() >= replaced:
            return False
        for number in replaced:
            del document.rows[number]
        row = LogRow(
            next(self._ids), RowKind.SNAPSHOT, compaction.snapshot, "", compaction.created_at, compaction.survey
        )
        document.rows[row.id] = row
        if compaction.segment is not None:
            segment = Segment(
                next(self._ids),
                compaction.segment,
                compaction.keyframe,
                compaction.first_at,
                compaction.created_at,
            )
            document.segments[segment.id] = segment
        return True

    async def describe(self, document: DocumentId) -> Description | None:
        self._insist_on_open()
        found = self._documents.get(document)
        if found is None:
            return None
        rows = found.rows.values()
        updates = [len(row.data) for row in rows if row.kind is RowKind.UPDATE]
        return Description(
            document=document,
            lineage=found.lineage,
            created_at=found.created_at,
            changed_at=max((row.created_at for row in rows), default=found.created_at),
            rows=len(rows),
            update_rows=len(updates),
            update_bytes=sum(updates),
            snapshot_bytes=sum(len(row.data) for row in rows) - sum(updates),
        )

    async def clients(self, document: DocumentId) -> Mapping[int, str]:
        """Return who used each client id of a document first."""
        self._insist_on_open()
        return dict(self._find(document).clients)

    async def segments(self, document: DocumentId) -> Sequence[Segment]:
        self._insist_on_open()
        return tuple(self._find(document).segments.values())

    async def prune(self, before: float) -> int:
        self._insist_on_open()
        deleted = 0
        for document in self._documents.values():
            for segment in history.disposable(tuple(document.segments.values()), before):
                del document.segments[segment.id]
                deleted += 1
        return deleted

    async def check(self) -> None:
        self._insist_on_open()

    async def close(self) -> None:
        self._closed = True

    def _find(self, document: DocumentId) -> _Document:
        return self._documents.get(document) or _Document(created_at=0)

    def _insist_on_open(self) -> None:
        if self._closed:
            raise UnavailableError("the store is closed")
