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
"""A document of which it takes a few milliseconds to find out how large it is."""

ROOM_TO_DELETE: Final = 5 / 4
"""How much larger than it may be a document may get by deletions: each splits what it deletes a part of."""


class Capacity:
    """What one room may still take. Owned by the room."""

    __slots__ = ("_document_bytes", "_journal", "_measured_at", "_most_bytes")

    def __init__(self, journal: Journal, document_bytes: int, loaded_bytes: int) -> None:
        """Let a document have so many bytes; it may have been larger when it was loaded."""
        self._journal = journal
        self._document_bytes = document_bytes
        self._most_bytes = round(max(document_bytes, loaded_bytes) * ROOM_TO_DELETE)
        self._measured_at: float | None = None

    def check(self, update: bytes, inspection: Inspection, replica: Replica, now: float) -> None:
        """Look whether an update can be taken, at `now` seconds of the room's clock.

        Raises:
            UnavailableError: the log is behind, and holds as much as it may.
            TooLargeError: the document would be larger than it may be.
        """
        if self._journal.full:
            raise UnavailableError("the log cannot be written to, and too much waits for it already")
        if replica.size_bytes + len(update) <= self._document_bytes and not replica.waiting:
            return
        brought = len(update) + sum(len(waiting.update) for waiting in replica.waiting)
        limit = self._document_bytes if inspection.structs else self._most_bytes
        if replica.size_bytes + brought <= limit:
            return
        # The size is that of all that came, and the document may be a small part of it. To look takes long if it is
        # large, so nobody can have that done more than once between two ticks.
        if self._measured_at != now or replica.size_bytes <= CHEAP_BYTES:
            self._measured_at = now
            replica.measure()
        if replica.size_bytes + brought > limit:
            raise TooLargeError("the document", replica.size_bytes + brought, limit)
