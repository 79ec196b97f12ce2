"""What a store is: the log of every document, as a set of rows.

A document is the merge of its rows in any order (docs/spec.md, S). Rows never change. Compaction
inserts one merged row and deletes exactly the rows that it read, so writers and compactors need no
lock between them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from collab.core.ports import DocumentId, Entry


class RowKind(IntEnum):
    """What the bytes of a row are."""

    UPDATE = 0
    """What clients sent: a Yjs update (lib0 v1) that may depend on other rows."""
    SNAPSHOT = 1
    """A complete state: a Yjs update that depends on nothing, verified before it was stored."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of a document's log."""

    id: int
    kind: RowKind
    data: bytes
    author: str
    created_at: float
    """Unix time in seconds. Of a snapshot: of the newest row in it."""
    survey: bytes | None = None
    """Of a snapshot: what `core.survey` tells of it. Of an update: None."""

    def __reduce__(self) -> tuple[object, ...]:
        # The loop waits while rows are handed to another process, and as dataclasses does it takes four times as long.
        return LogRow, (self.id, self.kind, self.data, self.author, self.created_at, self.survey)


def contents_of(rows: Sequence[LogRow]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Return the snapshots among rows, the updates, and what was kept beside the snapshots."""
    snapshots = [row.data for row in rows if row.kind is RowKind.SNAPSHOT]
    updates = [row.data for row in rows if row.kind is RowKind.UPDATE]
    return snapshots, updates, [row.survey for row in rows if row.survey is not None]


@dataclass(frozen=True, slots=True)
class Compaction:
    """What replaces some rows of a document."""

    document: DocumentId
    snapshot: bytes
    survey: bytes
    created_at: float
    replaced: tuple[int, ...]
    """The ids of exactly the rows that were read and are covered by `snapshot`."""
    segment: bytes | None
    """The replaced rows, packed by `store.history.pack`; None where history is switched off."""
    keyframe: bool
    """Whether the segment holds the replaced snapshots too, so that history can start at it."""
    first_at: float
    """Unix time in seconds of the oldest replaced update."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows that compaction replaced, kept so that earlier states can be rebuilt."""

    id: int
    data: bytes
    keyframe: bool
    first_at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class Description:
    """What a store knows of a document without reading it."""

    document: DocumentId
    lineage: str
    """Drawn at random when the document was created; another after a restore or a reset."""
    created_at: float
    changed_at: float
    rows: int
    update_rows: int
    update_bytes: int
    snapshot_bytes: int


class Store(Protocol):
    """Where documents are kept. Every method raises UnavailableError when the database does not answer."""

    def append(self, batch: Sequence[tuple[DocumentId, Entry]]) -> Awaitable[None]:
        """Write all entries in one transaction; on disk when this returns. Creates documents that are new."""

    async def create(self, document: DocumentId, entry: Entry) -> bool:
        """Create a document with its first row in one transaction; False, and nothing done, if it is there already."""

    async def load(self, document: DocumentId, most_updates: int | None = None) -> Sequence[LogRow]:
        """Return every row of a document by ascending id, from one SELECT; empty if there is none.

        With `most_updates`, only so many of its updates, those with the lowest ids.
        """

    async def compact(self, compaction: Compaction) -> bool:
        """Replace rows in one transaction; False, and nothing changed, if any of them is gone already."""

    async def describe(self, document: DocumentId) -> Description | None:
        """Return what is known of a document, None if it was never written."""

    async def clients(self, document: DocumentId) -> Mapping[int, str]:
        """Return who used each client id of a document first; empty if it was never written."""

    async def check(self) -> None:
        """Prove that the store can be written to."""

    async def close(self) -> None:
        """Let go of every connection; the store is not used again."""


class Archive(Protocol):
    """What compaction replaced, for as long as the retention setting says. The stores are their own archives."""

    async def segments(self, document: DocumentId) -> Sequence[Segment]:
        """Return the document's segments, oldest first."""

    async def prune(self, before: float) -> int:
        """Delete segments that ended before this Unix time, save those that a later one needs as its start.

        Returns how many were deleted. What stays begins with a keyframe, document by document.
        """
