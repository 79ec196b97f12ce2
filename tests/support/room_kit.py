"""What surrounds a room in a test: sinks, a log in memory, an uplink. Nothing here is a mock.

Not for: random histories (`simulation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from collab.core.framing import payload_of
from collab.core.inspection import read
from collab.core.poison import load_without_poison
from collab.core.ports import DocumentId, Entry, Receipt
from collab.core.replica import Replica


@dataclass
class RecordingSink:
    """A socket that keeps every message written to it."""

    messages: list[bytes] = field(default_factory=list)
    closed: tuple[int, str] | None = None

    def write(self, frame: bytes) -> None:
        self.messages.append(payload_of(frame))

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def pause_reading(self) -> None:
        """Read nothing; there is nothing to read."""

    def resume_reading(self) -> None:
        """Read on."""


@dataclass
class RecordingUplink:
    """The other workers: none, but it keeps what they would have been told."""

    published: list[bytes] = field(default_factory=list)

    def publish(self, document: DocumentId, update: bytes) -> None:
        self.published.append(update)


@dataclass(frozen=True)
class Row:
    """One row of a log."""

    data: bytes
    snapshot: bool = False


class MemoryLog:
    """A journal and the rows of one document, by the rules of the store; `commit` is the test's to call."""

    def __init__(self, replica_type: type[Replica] = Replica) -> None:
        self.replica_type = replica_type
        self.rows: list[Row] = []
        self.pending: list[tuple[Sequence[Entry], Sequence[Receipt]]] = []
        self.received_at: list[float] = []
        self.full = False

    def append(
        self,
        document: DocumentId,
        entries: Sequence[Entry],
        receipts: Sequence[Receipt],
        received_at: float | None = None,
    ) -> None:
        self.pending.append((entries, receipts))
        if received_at is not None:
            self.received_at.append(received_at)

    def commit(self) -> None:
        """Put what is under way on disk."""
        pending, self.pending = self.pending, []
        for entries, receipts in pending:
            self.rows += [Row(entry.data) for entry in entries]
            for receipt in receipts:
                receipt()

    def crash(self, survivors: int = 0) -> None:
        """Lose what is not on disk, except its first `survivors` appends."""
        self.pending = self.pending[:survivors]
        self.commit()

    def load(self, rows: Sequence[Row] | None = None) -> Replica:
        """Return the document that these rows are, or all of them."""
        rows = self.rows if rows is None else rows
        snapshots = [row.data for row in rows if row.snapshot]
        updates = [row.data for row in rows if not row.snapshot]
        replica, _ = load_without_poison(self.replica_type, snapshots, updates)
        return replica

    def shuffled(self, random: Random) -> Replica:
        """Return the document; its rows come in another order each time."""
        return self.load(random.sample(self.rows, len(self.rows)))

    def compact(self, rows: Sequence[Row]) -> None:
        """Replace those of `rows` that their merge covers by one snapshot."""
        replica = self.load(rows)
        covered = [row for row in rows if row.snapshot or replica.knows(read(row.data))]
        if covered:
            self.rows = [row for row in self.rows if all(row is not other for other in covered)]
            self.rows.append(Row(replica.full_state(), snapshot=True))
