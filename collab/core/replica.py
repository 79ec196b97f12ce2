"""One document in memory: what of it is integrated, and what waits.

pycrdt is never handed an update whose dependencies are missing (hazards P1): what comes too early
waits out here until they are. So what was let in is what was integrated, and this module keeps the
state vector and the deletions by itself, without asking pycrdt. Not for: who sent what, or who must
be told (`room`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from hashlib import sha256
from typing import NamedTuple, Self

from collab.core.burial import bury
from collab.core.causality import Id
from collab.core.deletions import DeleteSet
from collab.core.document import COMMIT_AFTER, Document
from collab.core.expense import SMALLEST_STRUCT_BYTES, STEPS_AT_A_STRETCH, steps_to_load, weight_of_deletions
from collab.core.inspection import Inspection, Run, read
from collab.core.layout import check_flaw
from collab.core.merging import KEYSTROKE_BYTES, BrokenReplicaError, batches, merge, without
from collab.core.partition import cut, first_missing, news_of, repeats
from collab.core.scope import roots_changed
from collab.core.surrogates import check_halves, tear
from collab.core.survey import recall, survey
from collab.core.waiting import MOST_FLAWED, LeftOut, Parts, WaitingLimits, WaitingList, WaitingUpdate, culprit_in
from collab.core.wire import EMPTY_STATE_VECTOR, EMPTY_UPDATE, decode_state_vector, encode_state_vector
from collab.errors import MalformedError, UnavailableError


class Verdict(Enum):
    """What became of an update."""

    KNOWN = "it brings nothing new"
    INTEGRATED = "all of it is in the document now"
    WAITING = "some of it waits for a predecessor"


class Integrated(NamedTuple):
    """What was handed to pycrdt at once."""

    update: bytes
    runs: Sequence[Run]


class Replica:
    """A document's state, and the updates that wait for a predecessor. Owned by one room."""

    def __init__(self, limits: WaitingLimits | None = None) -> None:
        self._document = Document()
        self.limits = limits or WaitingLimits()
        self.state: dict[int, int] = {}
        """The state vector: how many clock ticks of each client are integrated."""
        self.size_bytes = 0
        self.structs, self._layout, self.halves = recall(())
        """Roughly how large the document is, where everything in it stands, and where emoji are."""
        self.version = 0
        """Counts the updates integrated."""
        self.failure: BrokenReplicaError | None = None
        """Set when what had waited broke pycrdt: this replica must be thrown away and loaded again."""
        self._left_out: list[LeftOut] = []
        self._deleted: DeleteSet | None = None
        self.waiting = WaitingList()
        self._integrated: list[Integrated] = []
        self._state_vector: bytes | None = None
        self._full_state: bytes | None = None

    @classmethod
    def load(
        cls,
        snapshots: Sequence[bytes],
        updates: Sequence[bytes],
        surveys: Sequence[bytes] = (),
        limits: WaitingLimits | None = None,
        *,
        one_by_one: bool = False,
    ) -> Self:
        """Return the document that these rows of its log are, at one stretch. What waits in them is not refused."""
        replica = cls(limits)
        replica.take_snapshots(snapshots, surveys)
        for _ in replica.take_rows(updates, one_by_one=one_by_one):
            pass
        return replica

    def take_snapshots(self, snapshots: Sequence[bytes], surveys: Sequence[bytes] = ()) -> None:
        """Begin with complete states, not inspected again; to read several, or one without a survey, takes long."""
        for snapshot in snapshots:
            self._apply(snapshot)
            self.commit()
        self.state = decode_state_vector(self._document.state_vector())
        # Surveys of two, which have most in common, are not one beside the other.
        surveys = surveys if len(surveys) == len(snapshots) < 2 else [survey(self.full_state())]
        self.structs, self._layout, self.halves = recall(surveys)
        self.size_bytes = sum(map(len, snapshots))
        if snapshots:
            # pycrdt leaves out in silence what it cannot take. Equal bytes prove it cheaper than reading them, and
            # who comes in first needs them.
            full_state = self.full_state()
            if any(snapshot != full_state and not self.knows(read(snapshot)) for snapshot in snapshots):
                raise BrokenReplicaError("a snapshot that refers to what is not in it")

    def take_rows(self, updates: Sequence[bytes], *, one_by_one: bool = False) -> Iterator[None]:
        """Take in updates of a log, or pieces of a snapshot, in any order (R26). When it yields others may have a turn.

        Raises:
            MalformedError: one of them cannot be read.
            BrokenReplicaError: pycrdt fails; `one_by_one`, as the room took them, it tells on which (`poison`).
        """
        steps = 0
        for some in batches(updates, COMMIT_AFTER * KEYSTROKE_BYTES):
            done = not one_by_one and self._take_at_once(some)
            for update in () if done else some:
                inspection = read(update)
                steps += steps_to_load(inspection, self.structs, self.size_bytes)
                try:
                    self._take(update, inspection)
                    if one_by_one or steps > STEPS_AT_A_STRETCH:
                        self.commit()
                except BrokenReplicaError as error:
                    error.culprit = error.culprit or update
                    raise
                if steps > STEPS_AT_A_STRETCH:
                    steps = 0
                    yield
            yield
        self.commit()
        self._integrated.clear()

    def admit(
        self, update: bytes, inspection: Inspection, parts: Parts | None = None, sender: object = None
    ) -> Verdict:
        """Let in what `update` brings, or keep it until its predecessors are here; it may come in its parts already.

        Raises:
            TooLargeError, CrowdedError: too much would wait, or the document would be nested too deep.
            BrokenReplicaError: this replica must be thrown away and loaded again.
        """
        try:
            if self._layout.goes_on(inspection, self.state):
                self._integrate(update, inspection)
                if self.waiting:
                    self._release()
                return Verdict.INTEGRATED
            return self._take(update, inspection, self.limits, parts, sender)
        except BrokenReplicaError as error:
            if error.culprit is None:
                raise
            # Not this update's fault, but that of one that had waited for it.
            self.failure = error
            return Verdict.WAITING

    def knows(self, inspection: Inspection) -> bool:
        """Whether an update brings nothing new."""
        return not self._brings_news(inspection)

    def trim(self, update: bytes, inspection: Inspection) -> tuple[bytes, Inspection]:
        """Return an update as it may be logged and sent, once it is let in.

        Without what is known of it (R21): nobody looks at what such a copy says, which may not be what the document
        says, and whoever merges the two may take the wrong one. And with what is garbage for every Yjs as such (R25).

        Raises:
            MalformedError: it cannot be trimmed.
        """
        if repeats(inspection, self.state):
            if self.knows(inspection):
                return EMPTY_UPDATE, read(EMPTY_UPDATE)
            check_halves(inspection, self.state)
            update = without(update, self.state_vector())
            inspection = read(update)
        graves = self.graves(inspection)
        return bury(update, graves, self.state) if graves else (update, inspection)

    def graves(self, inspection: Inspection) -> set[Id]:
        """Return the deleted elements inside of which an update has nothing but garbage (R25)."""
        return self._layout.graves(inspection, self.deletions) if inspection.whereabouts.parents else set()

    def parts(self, update: bytes, inspection: Inspection) -> Parts | None:
        """Return an update in two parts if something of it has to wait, but not too much (R3, R12)."""
        if first_missing(inspection, self.state) is None:
            return None
        return self.waiting.cut(update, inspection, self.state, self.limits)

    def new_deletions(self, inspection: Inspection) -> list[Run]:
        """Return those ranges that an update deletes of which some is not deleted yet."""
        deleted = self.deletions()
        return [run for run in inspection.deletes if not deleted.covers(*run)]

    def stays_in(self, root: str, inspection: Inspection) -> bool:
        """Whether all that an update changes is known to stand in one root, and nothing of it has to wait."""
        if first_missing(inspection, self.state) is not None:
            return False
        deleted = self.deletions(fresh=bool(inspection.deletes))
        changed = roots_changed(inspection, self._layout.containers, self.state, deleted)
        return all(each == root for each in changed)

    def take_integrated(self) -> list[Integrated]:
        """Return what was integrated since this was last asked, in that order."""
        integrated, self._integrated = self._integrated, []
        return integrated

    def take_left_out(self) -> list[LeftOut]:
        """Return what waited and was left out since this was last asked (R24)."""
        left_out, self._left_out = self._left_out, []
        return left_out

    def state_vector(self) -> bytes:
        """Return `state`, encoded (v1)."""
        if self._state_vector is None:
            self._state_vector = encode_state_vector(self.state)
        return self._state_vector

    def full_state(self) -> bytes:
        """Return everything integrated, as one update (lib0 v1); cached until the next change."""
        if self._full_state is None:
            self._full_state = self._document.encode(EMPTY_STATE_VECTOR) if self.state else EMPTY_UPDATE
            self.size_bytes = len(self._full_state)
            self.structs = min(self.structs, self.size_bytes // SMALLEST_STRUCT_BYTES)
        return self._full_state

    def measure(self) -> int:
        """Return how many bytes `full_state` has once pycrdt has cleared up, at the end of a transaction."""
        self.commit()
        self._full_state = None
        return len(self.full_state())

    def diff(self, state_vector: bytes) -> bytes:
        r"""Return everything integrated that `state_vector` lacks.

        Lib0 v1 bytes; `b"\x00\x00"` when nothing is missing. What still waits for a predecessor
        is not included: whoever stores keeps those rows (C1).

        Raises:
            MalformedError: `state_vector` cannot be read.
        """
        if state_vector == EMPTY_STATE_VECTOR:
            return self.full_state()
        decode_state_vector(state_vector)
        return self._document.encode(state_vector)

    def digest(self) -> str:
        """Return a hash of the state vector and of all deletions; equal documents have equal digests."""
        return sha256(self.state_vector() + self.deletions(fresh=True).digest()).hexdigest()

    def commit(self) -> None:
        """Close the open pycrdt transaction.

        Raises:
            BrokenReplicaError: pycrdt failed.
        """
        self._document.commit()

    def _take(
        self,
        update: bytes,
        inspection: Inspection,
        limits: WaitingLimits | None = None,
        parts: Parts | None = None,
        sender: object = None,
    ) -> Verdict:
        if not self._brings_news(inspection):
            return Verdict.KNOWN
        if limits:
            check_halves(inspection, self.state)
            check_flaw(inspection.whereabouts.flaw)
        if first_missing(inspection, self.state) is None:
            self._bring_in(update, inspection, limits, judge=limits is not None)
            if self.waiting:
                self._release()
            return Verdict.INTEGRATED
        ready, ready_inspection, rest = parts or self.waiting.cut(update, inspection, self.state, limits)
        kept = rest.update == EMPTY_UPDATE or rest.update in self.waiting
        if limits and not kept:
            self.waiting.check(rest, limits, self._layout.containers.deepest, self.structs, self.size_bytes)
        self.waiting.sent_by(sender, rest)
        if ready != EMPTY_UPDATE:
            self._take(ready, ready_inspection, limits)
        if not kept:
            self.waiting.add(rest)
            self._release()  # the ready part may have let in what the rest waits for
        return Verdict.WAITING

    def _take_at_once(self, updates: Sequence[bytes]) -> bool:
        """Integrate the merge of updates; False, and nothing done, unless it can be had, at once and quickly."""
        try:
            merged = merge(updates)
            inspection = read(merged)
        except (BrokenReplicaError, MalformedError):
            return False  # one of them cannot be read: which one, reading them one by one tells
        steps = steps_to_load(inspection, self.structs, self.size_bytes)
        flawed = inspection.whereabouts.flaw is not None  # as what stands inside of a letter that comes with it
        if flawed or steps > STEPS_AT_A_STRETCH or first_missing(inspection, self.state) is not None:
            return False
        self._bring_in(merged, inspection, judge=False)
        if self.waiting:
            self._release()
        return True

    def _brings_news(self, inspection: Inspection) -> bool:
        state = self.state
        for client, _, end in inspection.runs:
            if end > state.get(client, 0):
                return True
        if not inspection.deletes:
            return False
        deleted = self.deletions()
        return not all(deleted.covers(*run) for run in inspection.deletes)

    def _bring_in(
        self, update: bytes, inspection: Inspection, limits: WaitingLimits | None = None, *, judge: bool
    ) -> None:
        """Integrate what is news of an update whose dependencies are here, and take note of where it stands.

        What was let in before is not judged again: whatever it says is what the document is (R26).
        """
        if repeats(inspection, self.state):
            update, inspection = news_of(update, self.state)
        if judge:
            self._layout.check(update, inspection, self.deletions)
        if graves := self._layout.graves(inspection, None):
            update, inspection = bury(update, graves, self.state)
        if limits and inspection.types:
            self._layout.check_depth(inspection)
        self._layout.add(update, inspection)
        self._integrate(update, inspection)

    def _integrate(self, update: bytes, inspection: Inspection) -> None:
        """Hand pycrdt an update whose dependencies are here, and keep account of it."""
        if self.halves.clocks or inspection.halves:
            self._apply_with_emoji(update, inspection)
        else:
            self._apply(update)
        state = self.state
        for client, _, end in inspection.runs:
            if end > state.get(client, 0):
                state[client] = end
        if self._deleted is not None:
            for run in inspection.deletes + inspection.dead:
                self._deleted.add(*run)
        if inspection.deletes:
            self._document.weigh(weight_of_deletions(inspection, self.structs, self.size_bytes))
        self.structs += inspection.structs
        self.size_bytes += len(update)
        self._integrated.append(Integrated(update, inspection.runs))

    def _apply_with_emoji(self, update: bytes, inspection: Inspection) -> None:
        """Apply an update; of emoji that it cuts in two make what Yjs makes of them, here and in itself."""
        cut = self.halves.cut_by(inspection)
        if any(half in self.halves for half in cut):
            self.commit()
            state = tear(self._document.encode(EMPTY_STATE_VECTOR), cut)
            self._document = Document()
            self._apply(state)
            self.commit()
            self.halves.discard(cut)
        self._apply(tear(update, cut) if cut else update)
        self.halves.add(half for half in inspection.halves if half not in cut)

    def _apply(self, update: bytes) -> None:
        self._state_vector = self._full_state = None
        self.version += 1
        self._document.apply(update)

    def _release(self) -> None:
        """Let in what waited for what has come."""
        for group in self.waiting.due(self.state):
            self._let_in(group)

    def _let_in(self, group: list[WaitingUpdate]) -> None:
        """Integrate what can be of some updates, all at once, but for those that are flawed (R24)."""
        for _ in range(MOST_FLAWED):
            parts = cut([waiting.update for waiting in group], self.state)
            try:
                ready = merge(part.ready for part in parts if part.ready != EMPTY_UPDATE)
                if not self.knows(inspection := read(ready)):
                    self._bring_in(ready, inspection, judge=not all(waiting.stored for waiting in group))
            except MalformedError as error:
                culprit = culprit_in(group, self.state, error)
                self._left_out.append(LeftOut(culprit.inspection, error, culprit.senders))
                group.remove(culprit)
            except BrokenReplicaError as error:
                error.culprit = culprit_in(group, self.state, error).whole
                raise
            else:
                break
        else:
            again = UnavailableError("too much of what waited was bad; send what you have again")
            self._left_out += [LeftOut(waiting.inspection, again, waiting.senders) for waiting in group]
            return
        for waiting, part in zip(group, parts, strict=True):
            if part.rest != EMPTY_UPDATE:
                self.waiting.add(waiting.less(part))

    def deletions(self, *, fresh: bool = False) -> DeleteSet:
        """Return what is deleted; `fresh` also has what only integration deleted, such as an overwritten key."""
        if self._deleted is None or fresh:
            self._deleted = self._document.deletions()
        return self._deleted
