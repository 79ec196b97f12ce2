"""The three ways out of the core: a client's socket, the log, and the other workers.

All are synchronous and buffering: the core pushes, the shell around it drains. A port never blocks
and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, NewType, Protocol

ANONYMOUS: Final = "anonymous:"
LINK: Final = "link:"
NAMELESS: Final = (ANONYMOUS, LINK)
"""How the ids of principals begin of whom nobody knows who they are: they own nothing."""

DocumentId = NewType("DocumentId", str)
"""A document's name, as it stands decoded in the URL."""

Receipt = Callable[[], None]
"""Called once, after everything that was appended up to it is on disk."""


class Entry(NamedTuple):
    """One update on its way into the log: bytes of one author, merged over one turn.

    `clients` are the client ids that this room meets for the first time in it, so that the log can
    keep whose they are.
    """

    data: bytes
    author: str
    clients: tuple[int, ...] = ()


class Sink(Protocol):
    """A client's socket, as a room sees it.

    Whoever implements it tells the connection `stalled()` when its buffer is full and `drained()`
    when it has room again; a frame is taken even then, so a room sends at most one more.
    """

    def write(self, frame: bytes) -> None:
        """Send bytes that already stand behind their WebSocket header."""

    def close(self, code: int, reason: str) -> None:
        """Say goodbye and close; later writes are ignored."""


class Journal(Protocol):
    """The log, as a room sees it."""

    def append(
        self,
        document: DocumentId,
        entries: Sequence[Entry],
        receipts: Sequence[Receipt],
        received_at: float | None = None,
    ) -> None:
        """Write `entries`, the first of which was received at this time, then call `receipts`.

        Without entries the receipts wait for whatever of this document is still under way: an
        update that is known is saved only when the row that brought it is.
        """

    @property
    def full(self) -> bool:
        """Whether so much is waiting that rooms must refuse writes."""


class Uplink(Protocol):
    """The other workers that have the same document open."""

    def publish(self, document: DocumentId, update: bytes) -> None:
        """Tell them what was integrated here; at most once, in no order."""
