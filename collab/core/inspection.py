"""The gate: a bounded, structural read of a Yjs update (v1) before pycrdt sees it.

It answers, from the bytes alone: is the update well-formed, whose clocks does it bring, which other
clocks must be known first, what does it delete, how deep and how dear is it? Not for: whether a
replica has what the update needs (`replica`), or what the text says (`content`).

Why: hazards P1 to P6. pycrdt loses text when a dependency is missing, dies of deep nesting, panics
on zero lengths, and applies half of what it then rejects; Yjs throws for ever on some updates that
yrs accepts. Source: Yjs UpdateDecoder.js, Item.js, StructStore.js and the Content classes.
"""

from __future__ import annotations

from typing import Final, NamedTuple, NoReturn

from collab.core.causality import Emoji, Id, Struct, circle_in
from collab.core.placement import BOUNDED, NO_WHEREABOUTS, SEVERAL, TYPED, Placement, Spot, Whereabouts
from collab.core.roots import RootKind, kind_of
from collab.core.values import DELETED, READERS, STRING, TYPE
from collab.core.wire import MAX_CLOCK, MAX_SAFE_INTEGER, Reader
from collab.errors import MalformedError

Run = tuple[int, int, int]
"""(client id, first clock, clock after the last)."""


class Inspection(NamedTuple):
    """What an update is made of. Immutable, and independent of any replica."""

    runs: tuple[Run, ...]
    """The clocks it brings, without the gaps (Skip structs) between them."""
    needs: tuple[Id, ...] = ()
    """For each client that it refers to outside of its own runs, the highest clock that must be known."""
    deletes: tuple[Run, ...] = ()
    """What it deletes by its delete set."""
    dead: tuple[Run, ...] = ()
    """Those of its own runs that arrive deleted (GC and ContentDeleted)."""
    types: int = 0
    """How many shared types it makes."""
    whereabouts: Whereabouts = NO_WHEREABOUTS
    """Where its elements stand. Those before a client's first stretch stand beside that client's last element."""
    roots: tuple[tuple[str, RootKind], ...] = ()
    """What it puts directly into a root by name; only the first element of a root must."""
    structs: int = 1
    cuts: tuple[Id, ...] = ()
    """Elements that a neighbour is put in front of or behind of, other than at the end of a client's own."""
    halves: tuple[Id, ...] = ()
    """Second halves of the surrogate pairs that its texts hold."""
    loose: int = 0
    """How many structs do not continue the one before: each may cost a search in the document (P7)."""


def read(update: bytes) -> Inspection:
    """Return what `update` is made of.

    Raises:
        MalformedError: it cannot be read, or it would harm whoever reads it.
    """
    return _keystroke(update) or Parser(update).inspection()


# ---- one typed character, nine times out of ten ----

_STRING_AFTER = 0x84  # a string with a left neighbour
_STRING_BETWEEN = 0xC4  # and with a right one
_CLIENT_ID_AT: Final = (0, 2, 4)


def _keystroke(update: bytes) -> Inspection | None:
    """Return the inspection of one ASCII string typed after something; None for anything else.

    Never looser than the full parser: a test holds the two against each other.
    """
    try:
        if update[0] != 1 or update[1] != 1 or update[-1] != 0:
            return None
        position = 2
        numbers: list[int] = []
        wanted = 2
        info = 0
        while True:
            while len(numbers) < wanted:
                byte = update[position]
                position += 1
                if byte < 0x80:
                    numbers.append(byte)
                    continue
                value = byte & 0x7F
                shift = 7
                while byte > 0x7F:
                    byte = update[position]
                    position += 1
                    value |= (byte & 0x7F) << shift
                    shift += 7
                if shift > 56 or value > (MAX_SAFE_INTEGER if len(numbers) in _CLIENT_ID_AT else MAX_CLOCK - 1):
                    return None
                numbers.append(value)
            if wanted > 2:
                break
            info = update[position]
            position += 1
            if info == _STRING_AFTER:
                wanted = 5
            elif info == _STRING_BETWEEN:
                wanted = 7
            else:
                return None
    except IndexError:
        return None
    length = numbers[-1]
    if length == 0 or position + length + 1 != len(update) or not update[position:-1].isascii():
        return None
    client, clock, left_client, left_clock = numbers[:4]
    if clock + length > MAX_CLOCK:
        return None
    needs: tuple[Id, ...] = ()
    cuts: tuple[Id, ...] = ()
    loose = 0
    right: Id | None = None
    if left_client != client:
        needs = ((left_client, left_clock),)
        loose = 1
    elif left_clock != clock - 1:
        if left_clock >= clock:
            return None
        loose = 1
    if loose:
        cuts = ((left_client, left_clock + 1),)
    if info == _STRING_BETWEEN:
        right = right_client, right_clock = numbers[4], numbers[5]
        cuts = (*cuts, (right_client, right_clock))
        if right_client == client:
            if right_clock >= clock:
                return None
        elif right_client != left_client:
            needs = (*needs, (right_client, right_clock))
        elif right_clock > left_clock:
            needs = ((right_client, right_clock),)
        if right_client == left_client and right_clock == left_clock:
            return None
    whereabouts = NO_WHEREABOUTS
    if loose or right is not None or length > 1:
        traits = (SEVERAL if length > 1 else 0) | (BOUNDED if right is not None else 0)
        whereabouts = Whereabouts(((client, clock, (left_client, left_clock), right, traits),))
    return Inspection(((client, clock, clock + length),), needs, cuts=cuts, whereabouts=whereabouts, loose=loose)


# ---- everything ----

GC, SKIP = 0, 10
_HAS_LEFT, _HAS_RIGHT, _HAS_PARENT_KEY = 0x80, 0x40, 0x20


class Parser(Reader):
    """One pass over an update, collecting what `Inspection` tells."""

    __slots__ = (
        "cuts",
        "dead",
        "emoji",
        "loose",
        "needs",
        "placement",
        "record",
        "recorded",
        "roots",
        "runs",
        "structs",
        "types",
    )

    def __init__(self, update: bytes) -> None:
        super().__init__(update)
        self.runs: list[Run] = []
        self.needs: dict[int, int] = {}
        self.dead: list[Run] = []
        self.placement = Placement()
        self.roots: dict[str, RootKind] = {}
        self.structs = self.types = self.loose = 0
        self.cuts: list[Id] = []
        self.emoji: list[Emoji] = []
        self.record = False
        self.recorded: list[Struct] = []

    def inspection(self) -> Inspection:
        """Return all that the update tells."""
        deletes = self.parse()
        return Inspection(
            tuple(self.runs),
            tuple(self.needs.items()),
            deletes,
            tuple(self.dead),
            self.types,
            self.placement.whereabouts(self.dead),
            tuple(self.roots.items()),
            self.structs,
            tuple(self.cuts),
            tuple((emoji.client, emoji.clock) for emoji in self.emoji),
            self.loose,
        )

    def parse(self) -> tuple[Run, ...]:
        """Collect it; return what it deletes by its delete set."""
        clients = self._bounded_count(3, "clients")
        # Only several clients can refer to one another in a circle.
        self.record = self.record or clients > 1
        before = MAX_SAFE_INTEGER + 1
        for _ in range(clients):
            count = self._bounded_count(2, "structs")
            client = self.var_uint()
            if client >= before:
                # Yjs and yrs write higher ids first, and Yjs' mergeUpdates loses text otherwise.
                self._refuse(f"client {client} stands twice, or behind a lower one")
            before = client
            self._client(client, self.var_uint(), count)
        deletes = self._delete_set()
        self.finish()
        self._check_order()
        return deletes

    def _client(self, client: int, clock: int, count: int) -> None:
        start = clock
        self.placement.enter()
        for _ in range(count):
            begin = self.position
            info = self.byte()
            refs: tuple[Id, ...] = ()
            if info in (GC, SKIP):
                length = self.var_uint()
                if info == GC:
                    self.placement.put_garbage(client, clock)
            else:
                refs, length = self._item(info, client, clock)
            end = clock + length
            if length == 0:
                self._refuse("a struct without length")
            if end > MAX_CLOCK:
                self._refuse(f"clock {end} is out of range")
            if info == SKIP:
                if clock > start:
                    self.runs.append((client, start, clock))
                    self.placement.leave(client, clock)
                start = end
            elif info == GC or info & 0x1F == DELETED:
                self.dead.append((client, clock, end))
            if self.record:
                self.recorded.append(Struct(client, clock, end, refs, begin, self.position, info == SKIP))
            clock = end
        if clock > start:
            self.runs.append((client, start, clock))
            if self.record:  # others may refer to what follows
                self.placement.leave(client, clock)
        self.structs += count

    def _item(self, info: int, client: int, clock: int) -> tuple[tuple[Id, ...], int]:
        """Read one Item behind its info byte; return what it refers to, and its length."""
        content = info & 0x1F
        refs: list[Id] = []
        right: Id | None = None
        traits = 0
        spot: Spot
        if info & (_HAS_LEFT | _HAS_RIGHT):
            if info & _HAS_LEFT:
                left_client, left_clock = self.var_uint(), self.var_uint()
                refs.append((left_client, left_clock))
                if left_client != client or left_clock != clock - 1:
                    self.cuts.append((left_client, left_clock + 1))
            if info & _HAS_RIGHT:
                refs.append((self.var_uint(), self.var_uint()))
                self.cuts.append(refs[-1])
                traits = BOUNDED
            spot = refs[0]
            if len(refs) > 1:
                right = refs[1]
                if right == spot:
                    self._refuse("an element between another and itself")
        else:
            owner, owner_clock = self._parent(refs)
            key = self.var_string() if info & _HAS_PARENT_KEY else None
            spot = owner, owner_clock, key
            if isinstance(owner, str):
                self._root(owner, content, key is not None)
        for reference_client, reference_clock in refs:
            if reference_clock >= MAX_CLOCK:
                self._refuse(f"clock {reference_clock} is out of range")
            if reference_client != client:
                if reference_clock > self.needs.get(reference_client, -1):
                    self.needs[reference_client] = reference_clock
            elif reference_clock >= clock:
                self._refuse(f"client {client} at clock {clock} refers to its own future")
        self.loose += spot != (client, clock - 1)
        self.types += content == TYPE
        if content == STRING:
            length = self._string(client, clock)
        else:
            read_content = READERS.get(content)
            if read_content is None:
                self._refuse(f"content of kind {content}")
            length = read_content(self)
        traits |= TYPED if content == TYPE else SEVERAL if length > 1 and content != DELETED else 0
        self.placement.put(client, clock, spot, right, traits)
        return tuple(refs), length

    def _parent(self, refs: list[Id]) -> tuple[int | str, int]:
        """Read what an item is inside of: a root by its name, or a type, which it needs then."""
        kind = self.var_uint()
        if kind == 1:
            return self.var_string(), 0
        if kind != 0:
            self._refuse(f"parent of kind {kind}")
        owner, clock = self.var_uint(), self.var_uint()
        refs.append((owner, clock))
        return owner, clock

    def _string(self, client: int, clock: int) -> int:
        """Read past a text; its length is in UTF-16 code units, of which an emoji has two."""
        data = self.var_bytes()
        if data.isascii():
            return len(data)
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise MalformedError("a text that is not UTF-8, such as half an emoji") from error
        if max(text) <= "\uffff":
            return len(text)
        begin = self.position - len(data)
        units = size = 0
        for character in text:
            units += 1 + (character > "\uffff")
            if character > "\uffff":
                self.emoji.append(Emoji(client, clock + units - 1, begin, len(data), begin + size))
            size += len(character.encode())
        return units

    def _root(self, name: str, content: int, keyed: bool) -> None:
        if self.roots.get(name, RootKind.UNKNOWN) is RootKind.UNKNOWN:
            self.roots[name] = kind_of(content, self.data[self.position : self.position + 1], keyed=keyed)

    def _delete_set(self) -> tuple[Run, ...]:
        deletes: list[Run] = []
        seen: set[int] = set()
        for _ in range(self._bounded_count(2, "clients in the delete set")):
            client = self.var_uint()
            if client in seen:
                self._refuse(f"client {client} stands twice in the delete set")
            seen.add(client)
            before = 0
            for _ in range(self._bounded_count(2, "deleted ranges")):
                start = self.var_uint()
                length = self.var_uint()
                if length == 0 or start + length > MAX_CLOCK:
                    self._refuse(f"a deleted range of length {length} at clock {start}")
                if start < before:  # yrs forgets deletions when it merges such a set
                    self._refuse(f"deleted ranges of client {client} that overlap, or are not in order")
                before = start + length
                deletes.append((client, start, before))
        return tuple(deletes)

    def _check_order(self) -> None:
        """Drop needs that the update itself meets; refuse structs that refer to one another in a circle."""
        begins: dict[int, int] = {}
        ends: dict[int, int] = {}
        for client, start, end in self.runs:
            begins.setdefault(client, start)
            ends[client] = end
        inner = [client for client in self.needs if client in ends]
        if not inner:
            return
        circular = circle_in(self.recorded, begins, ends)
        if circular is not None:
            self._refuse(f"client {circular} refers to itself through others")
        for client in inner:
            if self.needs[client] < ends[client]:
                del self.needs[client]

    def _bounded_count(self, smallest: int, what: str) -> int:
        """Return a count of things that take at least `smallest` bytes each (hazards P8)."""
        count = self.var_uint()
        if count * smallest > self.end - self.position:
            self._refuse(f"{count} {what} in {self.end - self.position} bytes")
        return count

    def _refuse(self, why: str) -> NoReturn:
        raise MalformedError(f"update at byte {self.position}: {why}")
