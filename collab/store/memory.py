"""A store that forgets everything when it goes: for tests, and for a server that is only being tried.

It keeps the same contract as the database (tests/contract/test_store.py), without threads or files.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from collab.core.connection import Access
from collab.core.ports import DocumentId, Entry
from collab.errors import UnavailableError
from collab.store import history
from collab.store.base import Archive, Compaction, Description, LogRow, RowKind, Segment, Store
from collab.store.rights import Grant, Link, NewLink, Revoked, Rights, Seen, Standing, View
from collab.store.statements import owner_of


@dataclass(slots=True)
class _Document:
    created_at: float
    owner: str | None = None
    lineage: str = field(default_factory=lambda: secrets.token_hex(16))
    rows: dict[int, LogRow] = field(default_factory=dict)
    clients: dict[int, str] = field(default_factory=dict)
    segments: dict[int, Segment] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)


class MemoryStore(Store, Archive):
    """Owns every document that was appended to it."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._documents: dict[DocumentId, _Document] = {}
        self._ids = itertools.count(1)
        self._closed = False
        self.rights = MemoryRights(self._documents, clock)

    async def append(self, batch: Sequence[tuple[DocumentId, Entry]]) -> None:
        self._insist_on_open()
        now = self._clock()
        for name, entry in batch:
            document = self._documents.get(name)
            if document is None:
                document = self._documents[name] = _Document(now, owner_of(entry))
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


class MemoryRights(Rights):
    """The same of rights. Shares the store's documents."""

    def __init__(self, documents: Mapping[DocumentId, _Document], clock: Callable[[], float]) -> None:
        self._documents = documents
        self._clock = clock
        self._links: dict[bytes, Link] = {}
        self._revoked: set[tuple[Revoked, str]] = set()

    async def standing(self, document: DocumentId, principal: str) -> Standing | None:
        found = self._documents.get(document)
        if found is None:
            return None
        grant = found.grants.get(principal)
        return Standing(found.owner, grant.access if grant else None)

    async def grants(self, document: DocumentId) -> Sequence[Grant]:
        found = self._documents.get(document)
        return sorted(found.grants.values(), key=lambda grant: grant.principal) if found else []

    async def grant(self, document: DocumentId, principal: str, access: Access, by: str) -> Grant | None:
        found = self._documents.get(document)
        if found is None:
            return None
        made = found.grants[principal] = Grant(principal, access, self._clock(), by)
        return made

    async def withdraw(self, document: DocumentId, principal: str) -> bool:
        found = self._documents.get(document)
        return found is not None and found.grants.pop(principal, None) is not None

    async def links(self, document: DocumentId) -> Sequence[Link]:
        return [link for link in self._links.values() if link.document == document]

    async def add_link(self, document: DocumentId, link: NewLink) -> Link | None:
        if document not in self._documents:
            return None
        id = len(self._links) + 1
        made = Link(
            id, document, link.access, link.label, self._clock(), link.created_by, link.expires_at, revoked_at=None
        )
        self._links[link.key_hash] = made
        return made

    async def find_link(self, key_hash: bytes) -> Link | None:
        return self._links.get(key_hash)

    async def revoke_link(self, document: DocumentId, id: int) -> bool:
        for key_hash, link in self._links.items():
            if link.document == document and link.id == id:
                revoked_at = self._clock() if link.revoked_at is None else link.revoked_at
                self._links[key_hash] = replace(link, revoked_at=revoked_at)
                return True
        return False

    async def revoke(self, kind: Revoked, value: str) -> None:
        self._revoked.add((kind, value))

    async def reinstate(self, kind: Revoked, value: str) -> bool:
        was_revoked = (kind, value) in self._revoked
        self._revoked.discard((kind, value))
        return was_revoked

    async def revoked(self) -> Sequence[tuple[Revoked, str]]:
        return sorted(self._revoked, key=lambda each: (each[0].value, each[1]))

    async def visible(self, view: View, after: str, limit: int) -> Sequence[Seen]:
        found = [
            Seen(name, document.owner, document.created_at)
            for name, document in sorted(self._documents.items())
            if name > after and _is_seen(name, document, view)
        ]
        return found[:limit]


def _is_seen(name: DocumentId, document: _Document, view: View) -> bool:
    if name in view.names or name.startswith(view.prefixes):
        return True
    return view.principal is not None and (view.principal == document.owner or view.principal in document.grants)
