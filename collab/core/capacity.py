"""Whether a room can take any more: the log keeps up, and the document stays within its size (R31).

Not for: what one message may be (`transport`), what may wait (`waiting`), or what somebody may do (`rights`).
"""

from __future__ import annotations

from typing import Final

from collab.core.inspection import Inspection
from collab.core.ports import Journal
from collab.core.replica import Replica
from collab.errors import TooLargeError, UnavailableError

CHEAP_BYTES: Final = 1 << 20
"""A document of which it takes 5 to 7 ms to find out how large it is (2026-11-28)."""


class Capacity:
    """What one room may still take. Owned by the room."""

    __slots__ = ("_document_bytes", "_journal", "_measured_at")

    def __init__(self, journal: Journal, document_bytes: int) -> None:
        self._journal = journal
        self._document_bytes = document_bytes
        self._measured_at: float | None = None

    def check(self, update: bytes, inspection: Inspection, replica: Replica, now: float) -> None:
        """Look whether an update can be taken, at `now` seconds of the room's clock.

        Raises:
            UnavailableError: the log is behind, and holds as much as it may.
            TooLargeError: the document would be larger than it may be. What only deletes, or says nothing, is taken.
        """
        if self._journal.full:
            raise UnavailableError("the log cannot be written to, and too much waits for it already")
        limit = self._document_bytes
        if not inspection.structs or (replica.size_bytes + len(update) <= limit and not replica.waiting):
            return
        # Whoever comes back brings what waits once more.
        waiting = {each.update for each in replica.waiting} | {update}
        brought = sum(map(len, waiting))
        if replica.size_bytes + brought <= limit:
            return
        # The size is that of all that came, and the document may be a small part of it. To look takes long if it is
        # large, so nobody can have that done more than once between two ticks.
        if self._measured_at != now or replica.size_bytes <= CHEAP_BYTES:
            self._measured_at = now
            replica.measure()
        if replica.size_bytes + brought > limit:
            raise TooLargeError("the document", replica.size_bytes + brought, limit)
