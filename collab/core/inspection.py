"""The gate: a bounded, structural read of a Yjs update (v1) before pycrdt sees it.

It answers, from the bytes alone: is the update well-formed, whose clocks does it bring, which other
clocks must be known first, what does it delete, how deep and how dear is it? Not for: whether a
replica has what the update needs (`replica`), or what the text says (`content`).

Why: hazards P1 to P6. pycrdt loses text when a dependency is missing, dies of deep nesting, panics
on zero lengths, and applies half of what it then rejects; Yjs throws for ever on some updates that
yrs accepts. Source: Yjs UpdateDecoder.js, Item.js, StructStore.js and the Content classes.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple, NoReturn

from collab.core.causality import Emoji, Id, Place, Struct, reach
from collab.core.placement import Placement, Stretch
from collab.core.values import DELETED, EMBED, FORMAT, READERS, STRING, TYPE, XML_ELEMENT, XML_HOOK, XML_TEXT
from collab.core.wire import MAX_CLOCK, MAX_SAFE_INTEGER, Reader
from collab.errors import MalformedError

Run = tuple[int, int, int]
"""(client id, first clock, clock after the last)."""


class RootKind(Enum):
    """What a root turns out to be, as far as what stands directly in it tells."""

    UNKNOWN = "unknown"
    MAP = "map"
    TEXT = "text"
    XML = "xml"
    ARRAY = "array"


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
    stretches: tuple[Stretch, ...] = ()
    """Where its elements stand. Those before a client's first stretch continue that client's elements."""
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
    stretches: tuple[Stretch, ...] = ()
    if left_client != client:
        needs = ((left_client, left_clock),)
        cuts = ((left_client, left_clock + 1),)
        stretches = ((client, clock, (left_client, left_clock), 0, False),)
    elif left_clock != clock - 1:
        if left_clock >= clock:
            return None
        cuts = ((left_client, left_clock + 1),)
        stretches = ((client, clock, (left_client, left_clock), 0, False),)
    if info == _STRING_BETWEEN:
        right_client, right_clock = numbers[4], numbers[5]
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
    return Inspection(((client, clock, clock + length),), needs, cuts=cuts, stretches=stretches, loose=len(stretches))


# ---- everything ----

GC, SKIP = 0, 10
_HAS_LEFT, _HAS_RIGHT, _HAS_PARENT_KEY = 0x80, 0x40, 0x20
_XML_TYPES: Final = (bytes((XML_ELEMENT,)), bytes((XML_HOOK,)), bytes((XML_TEXT,)))
_ROOT_KINDS: Final = {
    STRING: RootKind.TEXT,
    FORMAT: RootKind.TEXT,
    EMBED: RootKind.TEXT,
    DELETED: RootKind.UNKNOWN,
}


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
        return Inspection(
            tuple(self.runs),
            tuple(self.needs.items()),
            deletes,
            tuple(self.dead),
            self.types,
            self.placement.stretches(),
            tuple(self.roots.items()),
            self.structs,
            tuple(self.cuts),
            tuple((emoji.client, emoji.clock) for emoji in self.emoji),
            self.loose,
        )

    def _client(self, client: int, clock: int, count: int) -> None:
        start = clock
        for _ in range(count):
            begin = self.position
            info = self.byte()
            refs: tuple[Id, ...] = ()
            place = None
            if info in (GC, SKIP):
                length = self.var_uint()
            else:
                place, refs, length = self._item(info, client, clock)
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
                self.recorded.append(Struct(client, clock, end, place, refs, begin, self.position, info == SKIP))
            clock = end
        if clock > start:
            self.runs.append((client, start, clock))
            if self.record:  # others may refer to what follows
                self.placement.leave(client, clock)
        self.structs += count

    def _item(self, info: int, client: int, clock: int) -> tuple[Place, tuple[Id, ...], int]:
        """Read one Item behind its info byte; return its place, what it refers to, and its length."""
        content = info & 0x1F
        refs: list[Id] = []
        place, reference = Place.ROOT, None
        if info & (_HAS_LEFT | _HAS_RIGHT):
            if info & _HAS_LEFT:
                left_client, left_clock = self.var_uint(), self.var_uint()
                refs.append((left_client, left_clock))
                if left_client != client or left_clock != clock - 1:
                    self.cuts.append((left_client, left_clock + 1))
            if info & _HAS_RIGHT:
                refs.append((self.var_uint(), self.var_uint()))
                self.cuts.append(refs[-1])
            place, reference = Place.BESIDE, refs[0]
            if refs[-1] == reference and len(refs) > 1:
                self._refuse("an element between another and itself")
        else:
            named_root = self.var_uint()
            if named_root == 1:
                name = self.var_string()
            elif named_root == 0:
                name = None
                refs.append((self.var_uint(), self.var_uint()))
                place, reference = Place.INSIDE, refs[0]
            else:
                self._refuse(f"parent of kind {named_root}")
            keyed = bool(info & _HAS_PARENT_KEY)
            if keyed:
                self.var_string()
            if name is not None:
                self._root(name, content, keyed)
        for reference_client, reference_clock in refs:
            if reference_clock >= MAX_CLOCK:
                self._refuse(f"clock {reference_clock} is out of range")
            if reference_client != client:
                if reference_clock > self.needs.get(reference_client, -1):
                    self.needs[reference_client] = reference_clock
            elif reference_clock >= clock:
                self._refuse(f"client {client} at clock {clock} refers to its own future")
        if place is not Place.BESIDE or reference != (client, clock - 1):
            self.loose += 1
            inside = place is Place.INSIDE
            self.placement.begin(client, clock, reference, inside=inside, typed=content == TYPE)
        elif content == TYPE:
            self.placement.go_on_with_type(client, clock)
        self.types += content == TYPE
        if content == STRING:
            return place, tuple(refs), self._string(client, clock)
        read_content = READERS.get(content)
        if read_content is None:
            self._refuse(f"content of kind {content}")
        return place, tuple(refs), read_content(self)

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
        if self.roots.get(name, RootKind.UNKNOWN) is not RootKind.UNKNOWN:
            return
        if keyed:
            kind = RootKind.MAP
        elif content == TYPE and self.data[self.position : self.position + 1] in _XML_TYPES:
            kind = RootKind.XML
        else:
            kind = _ROOT_KINDS.get(content, RootKind.ARRAY)
        self.roots[name] = kind

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
        # As if whatever the update builds on, and whatever it skips, were here.
        closed = (s._replace(refs=tuple(r for r in s.refs if _within(r, begins, ends))) for s in self.recorded)
        reached = reach(closed, begins).clocks
        for client, end in ends.items():
            if reached[client] < end:
                self._refuse(f"client {client} refers to itself through others")
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


def _within(reference: Id, begins: dict[int, int], ends: dict[int, int]) -> bool:
    client, clock = reference
    return client in ends and begins[client] <= clock < ends[client]
