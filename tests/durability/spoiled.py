"""`python -m tests.durability.spoiled serve ...`: a server that says "saved" before the commit.

It is there to be caught: a check that can't fail proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from collab.cli import main
from collab.core.ports import DocumentId, Entry, Receipt
from collab.store.journal import GroupCommitJournal

_append = GroupCommitJournal.append


def append(
    self: GroupCommitJournal,
    document: DocumentId,
    entries: Sequence[Entry],
    receipts: Sequence[Receipt],
    received_at: float | None = None,
) -> None:
    _append(self, document, entries, (), received_at)
    for receipt in receipts:
        receipt()


if __name__ == "__main__":
    GroupCommitJournal.append = append  # type: ignore[method-assign]
    main()
