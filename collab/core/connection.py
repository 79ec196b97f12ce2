"""One client's way into one room, and the terms on which it is there.

Not for: what happens to it; that is the room's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, Self

from collab.core.awareness import AwarenessLimits, Stamp
from collab.core.causality import Id
from collab.core.dialects import Dialect
from collab.core.expense import TrialLimits
from collab.core.inspection import Inspection, Run
from collab.core.partition import repeats
from collab.core.ports import Sink
from collab.core.replica import Replica
from collab.core.survey import survey_of_emoji
from collab.core.waiting import Parts, WaitingLimits
from collab.core.wire import Kind
from collab.errors import UnavailableError


class Access(Enum):
    """What somebody may do with a document: each more than those before it."""

    NONE = "none"
    """Nothing: no connection has it."""
    VIEW = "view"
    COMMENT = "comment"
    EDIT = "edit"
    ADMIN = "admin"
    """Edit, and say who may do what."""

    def __lt__(self, other: Access) -> bool:
        return _RANKS[self] < _RANKS[other]

    @property
    def writes(self) -> bool:
        """Whether it lets somebody change whatever they like."""
        return self is Access.EDIT or self is Access.ADMIN


_RANKS: Final = {access: rank for rank, access in enumerate(Access)}

_WRITING: Final = {access: min(rank, _RANKS[Access.EDIT]) for access, rank in _RANKS.items()}
"""The same as far as writing goes: who administers a document writes no more than who edits it."""


HELD: Final = 64

Token = bytes | int
"""A client's own, to be given back; or how many of its updates had been taken, of one that counts them."""


@dataclass(slots=True)
class Behind:
    """Where a connection stopped reading, and what it is owed when it goes on."""

    state_vector: bytes
    version: int
    """The replica's version that goes with the state vector."""
    since: float
    """Seconds of the room's clock."""
    was_live: bool
    owed_step_2: bool = False
    """Whether it sent a SyncStep1 meanwhile; the state vector is that one's then."""
    owed_refusals: int = 0
    """Edits that were not taken meanwhile, and of which it expects word."""
    owed_status: Token | None = None
    """The last sync status that fell due meanwhile."""


@dataclass(slots=True, eq=False)
class Connection:
    """One client's way into one room. Owned by the room that admitted it."""

    sink: Sink
    dialect: Dialect
    principal: str
    """Whose it is: the author of its rows, and the owner of its client ids."""
    access: Access = Access.EDIT
    asked: int = 0
    """SyncStep1 of ours that have not been answered."""
    asked_back: int = 0
    """Of a client that counts: the same of those that answered one of its own."""
    behind: Behind | None = None
    """Set while its sink is full."""
    refused: bool = False
    """Whether an edit of it was refused, so that it is never told that all is saved."""
    held: dict[int, int] = field(default_factory=dict)
    """Clocks of clients that it sent, up to which something may still wait for a predecessor."""
    held_deletes: set[Run] = field(default_factory=set)
    """The same of what it deletes."""
    held_most: int = HELD
    """At how many of these those are forgotten that wait no more."""
    taken: int = 0
    """Of a client that counts: the updates of it that were taken."""
    told: int = 0
    """How many of them it was told of that they are on disk."""
    token: Token | None = None
    """The last sync status that cannot be answered yet."""
    promised: int = 0
    """How many sync statuses of it wait for the log."""
    stamp: Stamp | None = None
    """Who it is, in everything that it says of itself; None: whoever it says."""
    received_at: float | None = None
    """When its last message came, on the clock of whoever hands them over."""
    structs: int = 0
    """Of its updates that were taken, since somebody last looked."""
    silent: bool = False
    """Whether nothing came from it since it was asked for a sign of life."""
    busy: bool = False
    """Whether what it says is held back, or not read: it cannot answer."""
    closed: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether it did not answer, though it was asked, could hear that and be heard."""
        return self.silent and not self.busy and self.behind is None

    def tell_saved(self, token: Token) -> None:
        """Say that all is on disk that it had sent when it asked, or was counted."""
        if isinstance(token, bytes):
            self.sink.write(self.dialect.sync_status(token))
            return
        status = self.dialect.sync_status(b"")
        for _ in range(token - self.told):
            self.sink.write(status)
        self.told = token


def may_take_over(owner: Connection, other: Connection) -> bool:
    """Whether another connection may have the client ids of one that is here (R16, A2).

    A reader, who may be anybody, keeps none from somebody who writes, if only comments.
    """
    return owner.principal == other.principal or (other.access is not Access.VIEW and owner.access is Access.VIEW)


def may_speak_for(gone: Connection, other: Connection) -> bool:
    """Whether another connection may say something for a client of one that has gone: not if it may do less (A2)."""
    return gone.principal == other.principal or _WRITING[gone.access] <= _WRITING[other.access]


@dataclass(frozen=True, slots=True)
class Trial:
    """An update that must be tried on a copy of the document before the room takes it.

    Whoever gets it holds back what else this connection sends, tries `update` on `state`, and then
    calls `Room.resume` with what it found, or what speaks against it.
    """

    connection: Connection
    kind: Kind
    update: bytes
    state: bytes
    survey: bytes
    """Of the state, as far as it changes what pycrdt makes of an update (`survey_of_emoji`)."""
    waiting: WaitingLimits
    """How much of it may have to wait."""
    graves: frozenset[Id] = frozenset()
    """Deleted elements of the document: what the update puts inside of them is garbage."""
    attempt: int = 1

    @classmethod
    def on(
        cls,
        replica: Replica,
        connection: Connection,
        kind: Kind,
        update: bytes,
        graves: frozenset[Id] = frozenset(),
        attempt: int = 1,
    ) -> Self:
        """Return the trial of an update on a document as it is now."""
        emoji = survey_of_emoji(replica.halves)
        return cls(connection, kind, update, replica.full_state(), emoji, replica.limits, graves, attempt)

    def again(self, inspection: Inspection, replica: Replica, attempts: int) -> Trial | None:
        """Return the next trial if what the update turned out to say makes this one void; None if it holds.

        Raises:
            UnavailableError: so many attempts have been made.
        """
        graves = self.graves | replica.graves(inspection)
        repeated = repeats(inspection, replica.state) and not replica.knows(inspection)
        if not repeated and graves == self.graves:
            return None
        if self.attempt == attempts:
            raise UnavailableError("the document changes faster than the update can be tried")
        return Trial.on(replica, self.connection, self.kind, self.update, graves, self.attempt + 1)


class Tried(NamedTuple):
    """An update that may be taken: read, and cut if something of it has to wait, so that the room need not do it."""

    update: bytes
    """Without what was known already."""
    inspection: Inspection
    parts: Parts | None = None


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """Bounds on what one room takes."""

    trial: TrialLimits = field(default_factory=TrialLimits)
    document_bytes: int = 64 << 20
    """Of a whole document, as one update: what would make it larger is refused (R31)."""
    awareness: AwarenessLimits = field(default_factory=AwarenessLimits)
    lag_seconds: float = 120.0
    """How long a peer may not read before it is closed."""
    token_bytes: int = 16
    """Of a sync status. It is kept until the commit; y-sweet's is a version of at most eight bytes."""
    stateless_bytes: int = 1 << 16
    """Of one message to the application."""
    deferred_bytes: int = 1 << 20
    """What connections may send while the document is being read again."""
    unknown_clients: int = 10_000
    """Clients in a SyncStep1 beyond those of the document: the sessions that somebody wrote in offline."""
