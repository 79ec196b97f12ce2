"""Whether a room can take any more: the log keeps up, and the document stays within its size (R31).

Not for: what one message may be (`transport`), what may wait (`waiting`), or what somebody may do (`rights`).
"""

from __future__ import annotations

from collab.core.inspection import Inspection
from collab.core.ports import Journal
from collab.core.replica import Replica
from collab.errors import TooLargeError, UnavailableError


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
            TooLargeError: the document would be larger than it may be. What only deletes is taken even so.
        """
        if self._journal.full:
            raise UnavailableError("the log cannot be written to, and too much waits for it already")
        if replica.size_bytes + len(update) <= self._document_bytes or not inspection.structs:
            return
        # The size is that of all that came, and the document may be a small part of it. To look takes long, so that
        # nobody can have it done more than once between two ticks.
        if self._measured_at != now:
            self._measured_at = now
            replica.measure()
        if replica.size_bytes + len(update) > self._document_bytes:
            raise TooLargeError("the document", replica.size_bytes + len(update), self._document_bytes)
