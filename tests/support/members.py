"""A room with members whose every word is kept: the set-up of tests about one room.

Not for: random histories (`simulation`), or real sockets (`server`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from collab.core.awareness import Presence, encode
from collab.core.challenge import Challenge
from collab.core.connection import Access, Connection, RoomLimits, Trial, Tried
from collab.core.dialects import Y_WEBSOCKET, Dialect
from collab.core.hocuspocus import Hocuspocus, Type
from collab.core.ports import DocumentId
from collab.core.replica import Replica
from collab.core.room import Due, Room
from collab.core.waiting import WaitingLimits
from collab.core.wire import EMPTY_STATE_VECTOR, Kind, Message, Reader, var_bytes, var_string, var_uint
from collab.errors import CollabError
from collab.trial import attempt
from tests.support.room_kit import MemoryLog, RecordingSink, RecordingUplink

NAME = DocumentId("notes")
HOCUSPOCUS = Hocuspocus(var_string(NAME))


def typed(client: int, clock: int, text: str, after: tuple[int, int] | None = None, root: str = "t") -> bytes:
    """Return the update that types `text` after an element, or at the start of a root."""
    head = b"\x01\x01" + var_uint(client) + var_uint(clock)
    where = b"\x84" + var_uint(after[0]) + var_uint(after[1]) if after else b"\x04\x01" + var_string(root)
    return head + where + var_string(text) + b"\x00"


def typing(client: int, text: str) -> list[bytes]:
    """Return the updates that type `text` into an empty document, a character each."""
    return [typed(client, at, char, (client, at - 1) if at else None) for at, char in enumerate(text)]


def deleted(client: int, start: int, length: int) -> bytes:
    """Return the update that deletes so many elements."""
    return b"\x00\x01" + var_uint(client) + b"\x01" + var_uint(start) + var_uint(length)


@dataclass
class Member:
    """A connection in a room, what it was sent, and the way to send something."""

    room: Room
    connection: Connection
    sink: RecordingSink
    trials: list[Trial] = field(default_factory=list)
    challenges: list[Challenge] = field(default_factory=list)

    def send(self, update: bytes, kind: Kind = Kind.UPDATE) -> None:
        """Send an update, and end the turn."""
        self.say(update, kind)
        self.room.settle()

    def say(self, update: bytes, kind: Kind = Kind.UPDATE) -> None:
        """Send an update; the turn goes on."""
        self.send_raw(b"\x00" + bytes((kind,)) + var_bytes(update))

    def ask_whether_saved(self, token: bytes) -> None:
        """Send a sync status."""
        self.send_raw(b"\x66" + var_bytes(token))

    def ask(self, state_vector: bytes = EMPTY_STATE_VECTOR) -> None:
        """Send a SyncStep1."""
        self.say(state_vector, Kind.SYNC_STEP_1)

    def show(self, client: int, clock: int, state: bytes = b"{}") -> None:
        """Send an awareness update, and end the turn."""
        self.send_raw(b"\x01" + var_bytes(encode([Presence(client, clock, state)])))
        self.room.settle()

    def send_raw(self, data: bytes) -> None:
        self.connection.silent = False  # as a session does
        due = self.room.receive(self.connection, self.address + data)
        if isinstance(due, Trial):
            self.trials.append(due)
        elif due is not None:
            self.challenges.append(due)

    def fill(self) -> None:
        """Let the socket be full from now on."""
        self.room.stalled(self.connection)

    def drain(self) -> None:
        """Let the socket take more again."""
        self.room.drained(self.connection)

    def leave(self) -> None:
        self.room.leave(self.connection)
        self.room.settle()

    @property
    def received(self) -> list[Message]:
        """Everything that came, decoded."""
        return [
            self.connection.dialect.decode(message) for message in self.sink.messages if not self._is_status(message)
        ]

    def received_of(self, kind: Kind) -> list[bytes]:
        return [message.body for message in self.received if message.kind is kind]

    @property
    def updates(self) -> list[bytes]:
        return self.received_of(Kind.UPDATE)

    @property
    def saved(self) -> list[bytes]:
        """The sync statuses that came back."""
        return [Reader(message, 1).var_bytes() for message in self.sink.messages if message[0] == 0x66]

    @property
    def counted(self) -> list[bool]:
        """The statuses of single updates that came, by Hocuspocus' protocol: whether they are saved."""
        return [message[-1] == 1 for message in self.sink.messages if self._is_status(message)]

    def _is_status(self, message: bytes) -> bool:
        return self.address != b"" and message[len(self.address)] == Type.SYNC_STATUS

    @property
    def address(self) -> bytes:
        """What each of its messages begins with."""
        dialect = self.connection.dialect
        return dialect.address if isinstance(dialect, Hocuspocus) else b""

    @property
    def closed_with(self) -> int | None:
        return self.sink.closed[0] if self.sink.closed else None

    def forget(self) -> None:
        """Forget what came so far."""
        self.sink.messages.clear()


@dataclass
class Table:
    """One room, its log and its uplink."""

    limits: RoomLimits = field(default_factory=RoomLimits)
    waiting: WaitingLimits = field(default_factory=WaitingLimits)
    replica: Replica | None = None
    log: MemoryLog = field(default_factory=MemoryLog)
    uplink: RecordingUplink = field(default_factory=RecordingUplink)
    woken: int = 0

    def __post_init__(self) -> None:
        replica = self.replica or Replica(self.waiting)
        self.heard: list[tuple[Connection, str]] = []
        self.room = Room(NAME, replica, self.log, self.uplink, self._wake, self.limits, self._hear)
        self.room.begun = True
        self.room.tick(0)

    def _wake(self, room: Room) -> None:
        self.woken += 1

    def _hear(self, room: Room, connection: Connection, payload: str) -> None:
        self.heard.append((connection, payload))

    def join(self, principal: str = "ann", access: Access = Access.EDIT, dialect: Dialect = Y_WEBSOCKET) -> Member:
        """Let somebody in who asks for everything, as clients do."""
        member = self.connect(principal, access, dialect)
        member.ask()
        member.forget()
        return member

    def connect(self, principal: str = "ann", access: Access = Access.EDIT, dialect: Dialect = Y_WEBSOCKET) -> Member:
        """Let somebody in who has not said anything yet."""
        sink = RecordingSink()
        connection = Connection(sink, dialect, principal, access)
        self.room.admit(connection)
        return Member(self.room, connection, sink)

    @property
    def rows(self) -> list[bytes]:
        """What was appended to the log."""
        return [entry.data for entries, _ in self.log.pending for entry in entries]

    @property
    def authors(self) -> list[str]:
        return [entry.author for entries, _ in self.log.pending for entry in entries]


def tried(trial: Trial) -> Tried | CollabError:
    """Return what another process finds out about an update, found out in this one; how long it takes is left out."""
    try:
        return attempt(trial.state, trial.survey, trial.update, trial.waiting, trial.graves)[0]
    except CollabError as error:
        return error


def trial_of(due: Due | None) -> Trial | None:
    """Return what has to be found out before an update is taken, which is nothing but a trial."""
    assert not isinstance(due, Challenge)
    return due


def clients_in(awareness_update: bytes) -> dict[int, tuple[int, bytes]]:
    """Return clock and state of each client in an awareness update."""
    reader = Reader(awareness_update)
    return {reader.var_uint(): (reader.var_uint(), reader.var_bytes()) for _ in range(reader.var_uint())}
