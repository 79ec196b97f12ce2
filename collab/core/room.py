"""A document while somebody has it open: who is here, what came this turn, and who must be told.

A document's life in one reading: a connection is admitted and asked for what it has (`admit`);
what it sends comes in one message at a time (`receive`); at the end of the turn all of it goes to
the log, to the other workers and to the peers in one go (`settle`); a peer that does not keep up
gets one diff when it does (`stalled`, `drained`). Not for: loading and closing rooms (`hub`),
sockets (`transport`), bytes of a protocol (`dialects`). All is synchronous. Rules: R, A of docs/spec.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from collab.core.asking import ask, ask_anew, ask_back, note_arrival
from collab.core.audience import Audience, tell
from collab.core.capacity import Capacity
from collab.core.challenge import Challenge, TakenError
from collab.core.connection import Access, Connection, RoomLimits, Trial, Tried
from collab.core.crowding import admit_among
from collab.core.deferred import Deferred
from collab.core.expense import is_dear
from collab.core.inspection import Inspection, read
from collab.core.merging import BrokenReplicaError
from collab.core.ports import DocumentId, Journal, Uplink
from collab.core.presence import Presence
from collab.core.receipts import Receipts
from collab.core.replica import Replica, Verdict
from collab.core.rights import may_bring, says_nothing_new
from collab.core.turn import Turn, merged
from collab.core.waiting import Parts
from collab.core.wire import Kind, decode_state_vector, text_of
from collab.errors import CollabError, LagError, MalformedError, TooLargeError, UnavailableError

Due = Trial | Challenge
"""What has to be found out before something can be taken, or its sender is closed."""


class Room:
    """One open document. Owned by the hub of its process, touched by one thread."""

    def __init__(
        self,
        document: DocumentId,
        replica: Replica,
        journal: Journal,
        uplink: Uplink,
        wake: Callable[[Room], None],
        limits: RoomLimits | None = None,
        hear: Callable[[Room, Connection, str], None] = lambda _room, _connection, _payload: None,
    ) -> None:
        """Take over a loaded document, whose `replica` nobody else may touch.

        `wake` is called when the room has something to settle: `settle` is then due at the end of the
        turn, or `mend` if the room is `broken`. `hear` is told what clients say to the application.
        """
        self.document = document
        self.connections: set[Connection] = set()
        self.limits = limits or RoomLimits()
        self.now = 0.0
        """Seconds of a steady clock, as of the last `tick`."""
        self._replica = replica
        self._journal = journal
        self._uplink = uplink
        self._wake = wake
        self._hear = hear
        self._audience = Audience()
        self.authors: dict[int, str] = {}
        """Who brought each client id first: ever, once `Hub.look_up_authors` was called, else since the room opened."""
        self._presence = Presence(self.connections, self._reads, self.limits.awareness, self.authors)
        self._capacity = Capacity(journal, self.limits.document_bytes)
        self._receipts = Receipts(document, journal, lambda: self._replica, self._reads, self._rouse)
        self._turn = Turn()
        self._awake = self._broken = False
        self.begun = False
        """Whether the document is known to be there, even if nothing is in it."""
        self._deferred = Deferred(self.limits.deferred_bytes)
        self._quiet = True

    def state(self) -> tuple[bytes, str]:
        """Return everything integrated, as one update, and its digest."""
        return self._replica.full_state(), self._replica.digest()

    # ---- coming and going ----

    def admit(self, connection: Connection) -> None:
        """Let a connection in: ask it for what it has, and tell it who is here (R1)."""
        self.connections.add(connection)
        if connection.access is not Access.VIEW and not connection.dialect.counts:
            ask(connection, self._replica)
        self._presence.tell(connection)

    def leave(self, connection: Connection) -> None:
        """Forget a connection whose socket is gone; its clients are gone with it (A4)."""
        connection.closed = True
        self._audience.discard(connection)
        self.connections.discard(connection)
        self._receipts.leave(connection)
        self._replica.waiting.left(connection)
        if self._presence.leave(connection):
            self._rouse()

    def permit(self, connection: Connection, access: Access) -> None:
        """Let a connection do more, or less, from now on."""
        connection.access = access
        if access is not Access.VIEW:
            ask(connection, self._replica)

    def retire(self) -> None:
        """Let go of the document; an open transaction and it would hold each other until the collector comes by."""
        with suppress(BrokenReplicaError):
            self._replica.commit()

    def close(self, connection: Connection, error: CollabError) -> None:
        """Close a connection, saying why."""
        if not connection.closed:
            self.leave(connection)
            connection.sink.close(error.close_code, str(error))

    # ---- what comes in ----

    def receive(self, connection: Connection, data: bytes, *, challenged: bool = False) -> Due | None:
        """Take one binary WebSocket message; what is Due then, the caller has to see to.

        Whatever cannot be taken closes its sender, and nobody else notices (R8). A message that was `challenged`
        does not get a second chance.
        """
        if connection.closed:
            return None
        try:
            if self._broken:
                self._deferred.message(connection, data)
                return None
            kind, body = connection.dialect.decode(data)
            if kind is Kind.UPDATE or kind is Kind.SYNC_STEP_2:
                return self._receive_update(connection, kind, body)
            if kind is Kind.SYNC_STEP_1 or kind is Kind.QUERY_STATE:
                self._receive_state_vector(connection, kind, body)
            elif kind is Kind.AWARENESS:
                if self._presence.receive(connection, body):
                    self._rouse()
            elif kind is Kind.SYNC_STATUS:
                self.settle()
                self._receipts.ask(connection, body, self.limits.token_bytes)
            elif kind is Kind.STATELESS:
                self._hear_words(connection, body)
            else:
                self._presence.tell(connection)
        except TakenError as error:
            if not challenged:
                again = partial(self.receive, connection, data, challenged=True)
                return Challenge.of(error.owner, connection, self._replica, again)
            self.close(connection, error)
        except BrokenReplicaError as error:
            self._break(error, connection)
        except CollabError as error:
            self.close(connection, error)
        return None

    def resume(self, trial: Trial, outcome: Tried | CollabError, *, challenged: bool = False) -> Due | None:
        """Take the update of a trial that went well; close its sender if it did not.

        Another Trial is for an update of which something came from elsewhere meanwhile, or must be garbage.
        """
        connection = trial.connection
        if connection.closed:
            return None
        try:
            if isinstance(outcome, CollabError):
                raise outcome
            if self._broken:
                raise UnavailableError("the document is being read again")
            again = trial.again(outcome.inspection, self._replica, self.limits.trial.attempts)
            if again is not None:
                return again
            # In a turn of its own: merging something this large with others takes long.
            self.settle()
            self._take(connection, trial.kind, *outcome)
            self.settle()
        except TakenError as error:
            if not challenged:
                again_now = partial(self.resume, trial, outcome, challenged=True)
                return Challenge.of(error.owner, connection, self._replica, again_now)
            self.close(connection, error)
        except BrokenReplicaError as error:
            self._break(error, connection)
        except CollabError as error:
            self.close(connection, error)
        return None

    def decide(self, challenge: Challenge) -> Due | None:
        """Let the newcomer of a challenge have the client id if its owner has not been heard of (R16)."""
        if challenge.owner.is_lost and not challenge.newcomer.closed:
            self.close(challenge.owner, UnavailableError("somebody else came with your client id, and you were silent"))
        return challenge.again()

    def bring(self, update: bytes, inspection: Inspection) -> None:
        """Take what is in the log already, and tell everybody who is here (N4)."""
        self.settle()
        self.begun = True
        try:
            self._replica.admit(update, inspection)
            integrated = self._replica.take_integrated()
            released = [each for each in integrated if each.update != update]
            self._journal.append(self.document, Turn().rows(released, self.authors), ())
            self._spread([each.update for each in integrated], None)
            self._see_to_what_waited()
        except BrokenReplicaError as error:
            self._break(error, None)

    def _receive_update(self, connection: Connection, kind: Kind, update: bytes) -> Due | None:
        if connection.access is Access.VIEW:
            self._receive_from_reader(connection, kind, update)
            return None
        if len(update) > self.limits.trial.update_bytes:
            return Trial.on(self._replica, connection, kind, update)
        inspection = read(update)
        typing = inspection.structs == 1 and not inspection.cuts and not inspection.deletes
        if not typing and is_dear(inspection, self._replica, self.limits.trial):
            return Trial.on(self._replica, connection, kind, update)
        self._take(connection, kind, *self._replica.trim(update, inspection))
        return None

    def _take(
        self, connection: Connection, kind: Kind, update: bytes, inspection: Inspection, parts: Parts | None = None
    ) -> None:
        if not may_bring(connection, self._replica, inspection, self._presence.is_anothers, begun=self.begun):
            self._receive_from_reader(connection, kind, update)
            return
        self._presence.check_owners(connection, inspection, self._replica.state)
        self._capacity.check(update, inspection, self._replica, self.now)
        self._receipts.count(connection, kind)
        verdict = admit_among(connection, self._replica, update, inspection, parts, self.close)
        if verdict is Verdict.KNOWN:
            return
        self._turn.meet(connection, inspection, self.authors)
        if verdict is Verdict.INTEGRATED:
            self._turn.integrated(connection, update)
        else:
            self._turn.waits(connection)
            if self._receipts.hold(connection, inspection):
                ask(connection, self._replica)
        self._see_to_what_waited()

    def _see_to_what_waited(self) -> None:
        """Refuse what had waited, and may not come in, to whoever sent it, as if it had come now (R24)."""
        self._rouse()
        for _, error, senders in self._replica.take_left_out():
            for connection in list(senders):
                self.close(connection, error)
        if self._replica.failure is not None:
            self._break(self._replica.failure, None)

    def _receive_state_vector(self, connection: Connection, kind: Kind, state_vector: bytes) -> None:
        decode_state_vector(state_vector, len(self._replica.state) + self.limits.unknown_clients)
        self.settle()
        if connection.behind is not None:
            # It does not read: what it asks for now is all that it will get when it does.
            connection.behind.state_vector = state_vector
            connection.behind.owed_step_2 = True
            return
        if kind is Kind.SYNC_STEP_1:
            ask_back(connection, self._replica)
        connection.sink.write(connection.dialect.sync_step_2(self._replica.diff(state_vector)))
        self._audience.add(connection)

    def _receive_from_reader(self, connection: Connection, kind: Kind, update: bytes) -> None:
        """A reader's edit stops here; only what says nothing new goes unremarked (R7)."""
        if says_nothing_new(connection, update, self._replica, self.limits.trial.update_bytes):
            self._receipts.count(connection, kind)
            return
        connection.refused = True
        if note_arrival(connection, kind):
            self._audience.refuse(connection, at_once=self._reads(connection))

    def _reads(self, connection: Connection) -> bool:
        """Whether an answer may be sent: whoever asks without reading gets none, and costs no memory."""
        self._audience.fall_behind(self._replica, self.now)
        return connection.behind is None

    def _hear_words(self, connection: Connection, payload: bytes) -> None:
        """Hand an application what a client says to it (R28)."""
        if len(payload) > self.limits.stateless_bytes:
            raise TooLargeError("a stateless message", len(payload), self.limits.stateless_bytes)
        self._hear(self, connection, text_of(payload))

    def say(self, payload: str, connections: Iterable[Connection]) -> None:
        """Pass on an application's words to some of the connections, as far as their protocols have any (R28)."""
        tell(filter(self._reads, connections), lambda dialect: dialect.stateless(payload))

    # ---- the end of a turn ----

    def settle(self) -> None:
        """Send what this turn brought to the log, to the other workers and to the peers (R4)."""
        self._awake = False
        if self._turn:
            self._settle_updates()
        self._receipts.settle()
        self._presence.settle()
        self._audience.fall_behind(self._replica, self.now)

    def _settle_updates(self) -> None:
        turn, self._turn = self._turn, self._turn.next()
        self._quiet = False
        integrated = self._replica.take_integrated()
        plain = turn.plain(integrated)
        rows = turn.rows(integrated, self.authors)
        self._journal.append(self.document, rows, (), turn.received_at)
        news = [row.data for row in rows] if plain else [each.update for each in integrated]
        self._spread(news, turn.sole_author if plain else None)

    def _spread(self, updates: list[bytes], author: Connection | None) -> None:
        for update in merged(updates):
            self._uplink.publish(self.document, update)
            self._audience.send(update, author)
            if author is None:
                self._presence.everybody_heard()

    def _rouse(self) -> None:
        if not self._awake:
            self._awake = True
            self._wake(self)

    # ---- peers that do not keep up ----

    def stalled(self, connection: Connection) -> None:
        """Take note that a sink is full; may come in the middle of a `settle`."""
        self._audience.note_full(connection)
        self._rouse()

    def drained(self, connection: Connection) -> None:
        """Bring a connection up to date that reads again, and tell it who is here (R10)."""
        if not self._audience.reads_again(connection):
            return
        if self._broken:
            self._deferred.drained(connection)
            return
        try:
            self._audience.catch_up(connection, self._replica)
        except BrokenReplicaError as error:
            self._break(error, connection)
        self._presence.tell(connection)

    # ---- the passing of time ----

    def tick(self, now: float) -> None:
        """Let time pass, to `now` seconds of a steady clock; call it every few seconds."""
        self.now = now
        if self._presence.tick(now):
            self._rouse()
        for connection in [c for c in self.connections if c.behind and now - c.behind.since > self.limits.lag_seconds]:
            self.close(connection, LagError(f"nothing was read for {self.limits.lag_seconds:g} seconds"))
        if self._quiet and not self._broken:
            try:
                self._replica.commit()
            except BrokenReplicaError as error:
                self._break(error, None)
        self._quiet = True

    # ---- when pycrdt fails ----

    @property
    def broken(self) -> bool:
        """Whether the document must be read from the log again; what comes meanwhile is kept."""
        return self._broken

    def mend(self, replica: Replica) -> None:
        """Go on with the document as the log has it, once everything appended is in it (R13)."""
        self._replica = replica
        self._broken = False
        # What waited is in no log. Its senders bring it again, with what it waited for.
        again = UnavailableError("the document was read again; send what you have again")
        for connection in [each for each in self.connections if self._receipts.holds(each)]:
            self.close(connection, again)
        for connection in self.connections:
            if connection.behind is not None:
                # The broken replica counted versions of its own.
                connection.behind.version = -1
            if connection.access is not Access.VIEW:
                # It may have integrated what never came into the log, and asked newcomers for the rest only.
                ask_anew(connection, self._replica)
        drained, messages = self._deferred.take()
        for connection in drained:
            self.drained(connection)
        for connection, data in messages:
            if self.receive(connection, data) is not None:
                # Nobody is here to carry out the trial; the client sends it again.
                self.close(connection, UnavailableError("the document was read again"))
        # Whatever roused the room while it was broken was passed over.
        self._awake = False
        self._rouse()

    def _break(self, error: BrokenReplicaError, offender: Connection | None) -> None:
        """Save what came before the failure, close who caused it, and ask to be mended."""
        self.settle()
        self._broken = True
        if offender is not None:
            self.close(offender, MalformedError(str(error)))
        self._wake(self)
