"""A room, its log and honest clients over bad links, driven step by step from one seed.

Links delay, stall and break; wild ones also duplicate and reorder, which no WebSocket does. The
server crashes, restarts, compacts, closes the room and opens it again; pycrdt fails, if it is told
to. Whatever happened: once everything is delivered, everybody has everything that was ever written.
Not for: hostile bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final

from collab.core.connection import Access, Connection, RoomLimits, Trial
from collab.core.dialects import Y_WEBSOCKET
from collab.core.expense import TrialLimits
from collab.core.framing import payload_of
from collab.core.inspection import Inspection
from collab.core.merging import BrokenReplicaError, merge
from collab.core.ports import DocumentId
from collab.core.replica import Replica, Verdict
from collab.core.room import Room
from collab.core.waiting import Parts
from collab.core.wire import EMPTY_STATE_VECTOR, Kind, Reader, decode_state_vector, var_bytes
from tests.support.members import trial_of, tried
from tests.support.room_kit import MemoryLog, RecordingUplink
from tests.support.view import View, view_of
from tests.support.yjs import Client, Peer

DOCUMENT: Final = DocumentId("simulated")
LINK_CAPACITY: Final = 4
"""Messages on their way to a client until its sink counts as full."""


class Weather(Enum):
    """What links do to the messages on them."""

    TCP = "delay"
    WILD = "delay, duplicate and reorder"


class FlakyReplica(Replica):
    """A replica whose pycrdt fails when it is told to, in the middle of an update."""

    failing = False

    def admit(
        self, update: bytes, inspection: Inspection, parts: Parts | None = None, sender: object = None
    ) -> Verdict:
        verdict = super().admit(update, inspection, parts, sender)
        if self.failing:
            self.failing = False
            raise BrokenReplicaError("on purpose")
        return verdict


class Link:
    """One client's WebSocket: what is on its way in both directions, and the room's view of it."""

    def __init__(self, world: World, access: Access = Access.EDIT) -> None:
        self.world = world
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.trial: Trial | None = None
        self.full = False
        self.closed = False
        self.connection = Connection(self, Y_WEBSOCKET, "somebody", access)

    def write(self, frame: bytes) -> None:
        self.down.append(payload_of(frame))
        if len(self.down) >= LINK_CAPACITY and not self.full:
            self.full = True
            self.world.open_room.stalled(self.connection)

    def close(self, code: int, reason: str) -> None:
        assert self.world.failures, f"an honest client was closed: {code} {reason}"
        self.closed = True


@dataclass(eq=False)
class Member:
    """A client, and its link while it is online."""

    client: Client
    access: Access = Access.EDIT
    link: Link | None = None

    def send(self, updates: Sequence[bytes]) -> None:
        """Send edits, if online; those made offline go with the next answer."""
        if self.link:
            self.link.up.extend(b"\x00\x02" + var_bytes(update) for update in updates)


class World:
    """One random history. `sent` is all that was ever written, `story` what happened."""

    def __init__(self, seed: int, clients: Sequence[Client], weather: Weather, *, pycrdt_fails: bool = False) -> None:
        self.random = Random(seed)
        self.weather = weather
        self.pycrdt_fails = pycrdt_fails
        self.log = MemoryLog(FlakyReplica)
        self.members = [Member(client) for client in clients]
        self.sent: list[bytes] = []
        self.story: list[str] = []
        self.room: Room | None = None
        self.replica: FlakyReplica
        self.failures = 0
        self.due = False
        self.now = 0.0
        # Some rooms try nearly everything on a copy first.
        self.limits = RoomLimits(TrialLimits(60, places=3)) if self.random.random() < 0.2 else RoomLimits()

    @property
    def open_room(self) -> Room:
        """The room, opened from its log if it is not."""
        if self.room is None:
            self.room = Room(DOCUMENT, self._load(), self.log, RecordingUplink(), self._wake, self.limits)
        return self.room

    def _load(self) -> Replica:
        replica = self.log.shuffled(self.random)
        assert isinstance(replica, FlakyReplica)
        self.replica = replica
        return replica

    # ---- a history ----

    def run(self, steps: int) -> None:
        """Let `steps` random things happen, then let everything arrive."""
        for member in self.members:
            if self.random.random() < 0.8:
                self._connect(member)
        for step in self._choices(steps):
            self.story.append(step.__name__.strip("_"))
            step(self.random.choice(self.members))
        self.calm()

    def _choices(self, steps: int) -> list[Callable[[Member], None]]:
        """Draw steps; each history has its own taste, so that some are nearly all of one kind."""
        menu: dict[Callable[[Member], None], int] = {
            self._edit: 30,
            self._deliver_up: 30,
            self._deliver_down: 30,
            self._settle: 10,
            self._connect: 6,
            self._whisper: 4,
            self._commit: 4,
            self._compact: 4,
            self._drop: 2,
            self._tick: 2,
            self._crash: 1,
            self._restart: 1,
        }
        if self.pycrdt_fails:
            menu[self._fail] = 1
        weights = [weight * self.random.choice((0.2, 1, 1, 3)) for weight in menu.values()]
        return self.random.choices(list(menu), weights, k=steps)

    def calm(self) -> None:
        """Connect everybody, and deliver until nothing is on its way any more."""
        moving = True
        while moving:
            moving = self.due
            self._settle()
            for member in self.members:
                self._connect(member)
                moving = moving or (link := member.link) is None or bool(link.up or link.down or link.trial)
                while (link := member.link) and (link.up or link.trial):
                    self._deliver_up(member)
                while (link := member.link) and link.down:
                    self._deliver_down(member)
        self.log.commit()

    # ---- what can happen ----

    def _edit(self, member: Member) -> None:
        if member.access is not Access.EDIT:
            return
        updates = member.client.edit(self.random)
        self.sent += updates
        member.send(updates)

    def _deliver_up(self, member: Member) -> None:
        link = member.link
        if link is None:
            return
        if link.trial is not None:
            trial, link.trial = link.trial, None
            link.trial = trial_of(self.open_room.resume(trial, tried(trial)))
        elif link.up:
            link.trial = trial_of(self.open_room.receive(link.connection, self._next(link.up)))
        if self.random.random() < 0.5:
            self._settle()
        self._lose_closed()

    def _deliver_down(self, member: Member) -> None:
        link = member.link
        if link is None or not link.down:
            return
        self._hear(member, self._next(link.down))
        if link.full and not link.down:
            link.full = False
            self.open_room.drained(link.connection)

    def _next(self, queue: deque[bytes]) -> bytes:
        """Take a message off a link; a wild one may deliver any of them, and keep it for another time."""
        if self.weather is Weather.WILD and self.random.random() < 0.3:
            queue.rotate(self.random.randrange(len(queue)))
            if self.random.random() < 0.3:
                return queue[0]
        return queue.popleft()

    def _hear(self, member: Member, message: bytes) -> None:
        """Do as y-websocket does with a message."""
        reader = Reader(message)
        outer = reader.var_uint()
        assert outer == 0, f"message type {outer} in a room without awareness"
        kind, body = reader.var_uint(), reader.var_bytes()
        assert member.link
        if kind == Kind.SYNC_STEP_1:
            member.link.up.append(b"\x00\x01" + var_bytes(member.client.answer(body)))
        else:
            updates = member.client.receive(body)
            self.sent += updates
            member.send(updates)

    def _settle(self, _: Member | None = None) -> None:
        if not self.due:
            return
        self.due = False
        if self.open_room.broken:
            self.log.commit()
            self.open_room.mend(self._load())
        else:
            self.open_room.settle()
        self._lose_closed()

    def _connect(self, member: Member) -> None:
        if member.link is None:
            member.link = Link(self, member.access)
            self.open_room.admit(member.link.connection)
            member.link.up.append(b"\x00\x00" + var_bytes(member.client.state_vector()))

    def _drop(self, member: Member) -> None:
        """Cut a link; everything on it is lost."""
        if member.link:
            link, member.link = member.link, None
            self.open_room.leave(link.connection)

    def _whisper(self, member: Member) -> None:
        """Hand somebody one recent edit past the server, as tabs of one browser do."""
        if self.sent:
            updates = member.client.receive(self.random.choice(self.sent[-5:]))
            self.sent += updates
            member.send(updates)

    def _commit(self, _: Member) -> None:
        self.log.commit()

    def _compact(self, _: Member) -> None:
        rows = self.log.rows
        self.log.compact(self.random.sample(rows, self.random.randint(len(rows) // 2, len(rows))))

    def _tick(self, _: Member) -> None:
        """Let time pass, but less than a slow reader is given."""
        self.now += 0.1
        self.open_room.tick(self.now)

    def _fail(self, _: Member) -> None:
        """Let pycrdt fail on the next update."""
        if self.room is not None:
            self.replica.failing = True
            self.failures += 1

    def _crash(self, _: Member) -> None:
        self.log.crash(self.random.randint(0, len(self.log.pending)))
        self._lose_room()

    def _restart(self, _: Member) -> None:
        self._settle()
        self.log.commit()
        self._lose_room()

    def _lose_closed(self) -> None:
        for member in self.members:
            if member.link and member.link.closed:
                member.link = None

    def _lose_room(self) -> None:
        for member in self.members:
            member.link = None
        self.room, self.due = None, False

    def _wake(self, room: Room) -> None:
        self.due = self.due or room is self.room

    # ---- what must hold ----

    def late_joiner(self) -> bytes:
        """Return what somebody gets who comes now with nothing."""
        link = Link(self)
        self.open_room.admit(link.connection)
        self.open_room.receive(link.connection, b"\x00\x00" + var_bytes(EMPTY_STATE_VECTOR))
        self.open_room.leave(link.connection)
        (update,) = [message[2:] for message in link.down if message[1] == Kind.SYNC_STEP_2]
        return Reader(update).var_bytes()

    def check(self, expected: View | None = None) -> None:
        """Raise AssertionError unless everybody has `expected`, by default everything sent, merged."""
        everything = Replica.load([], [merge(self.sent)] if self.sent else [])
        expected = expected or view_of(everything.full_state())
        for number, member in enumerate(self.members):
            assert expected == member.client.view(), f"client {number} differs"
            assert everything.state == decode_state_vector(member.client.state_vector())
        assert expected == view_of(self.late_joiner()), "a late joiner differs"
        kept = self.log.shuffled(self.random)
        assert expected == view_of(kept.full_state()), "the log differs"
        assert 0 == len(kept.waiting), "the log waits for something"
        assert everything.state == kept.state
        assert everything.digest() == kept.digest(), "the log was not digested like everything sent"


def simulate(seed: int, *, steps: int = 60, pycrdt_fails: bool = False) -> World:
    """Run and check one history of clients on pycrdt. The seed decides how many they are, and their links."""
    random = Random(seed)
    peers = [Peer(client_id) for client_id in random.sample(range(2, 1 << 32), random.randint(2, 4))]
    world = World(seed, peers, random.choice(list(Weather)), pycrdt_fails=pycrdt_fails)
    if random.random() < 0.3:
        world.members[-1].access = Access.VIEW
    try:
        world.run(steps)
        world.check()
    except BaseException as error:
        error.add_note(f"seed {seed}, {world.weather}, {len(peers)} clients: {' '.join(world.story)}")
        raise
    finally:
        for peer in peers:
            peer.close()
    return world
