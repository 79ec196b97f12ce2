"""Emoji that an edit cut in two.

Yjs counts UTF-16 code units, so an emoji is two elements, and something may be put between them or
only one of them be deleted. Yjs then turns both halves into U+FFFD, whatever the edit was. yrs
keeps the emoji whole and moves the cut behind it: its text and the origins that it writes are wrong
from then on (hazards P4b). So whoever holds a yrs document has to do as Yjs does, in the bytes
before the cut is applied. Not for: other characters; they are one element each.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from collab.core.causality import Id
from collab.core.inspection import Inspection, Parser
from collab.core.wire import StateVector, var_uint
from collab.errors import MalformedError

_TORN: Final = "\ufffd\ufffd".encode()


class Halves:
    """The second halves of the surrogate pairs of a document. Owned by one replica."""

    __slots__ = ("clocks",)

    def __init__(self) -> None:
        self.clocks: dict[int, array[int]] = {}
        """By client, ascending; empty when the document has no such pair."""

    def load(self, clocks: Mapping[int, array[int]]) -> None:
        """Take over what was kept of a snapshot, or of one more."""
        for client, some in clocks.items():
            known = self.clocks.get(client)
            self.clocks[client] = array("I", sorted({*known, *some})) if known else some

    def add(self, halves: Iterable[Id]) -> None:
        for client, clock in halves:
            clocks = self.clocks.setdefault(client, array("I"))
            at = bisect_left(clocks, clock)
            if at == len(clocks) or clocks[at] != clock:
                clocks.insert(at, clock)

    def discard(self, halves: Iterable[Id]) -> None:
        for client, clock in halves:
            if (client, clock) in self:
                del self.clocks[client][bisect_left(self.clocks[client], clock)]

    def cut_by(self, inspection: Inspection) -> set[Id]:
        """Return the halves, of the document and of the update itself, that the update cuts off."""
        own = inspection.halves
        if not self.clocks and not own:
            return set()
        cuts = set(inspection.cuts)
        for client, start, end in inspection.deletes + inspection.dead:
            cuts |= {(client, start), (client, end)}
        return {cut for cut in cuts if cut in self or cut in own}

    def are_cut_by(self, inspection: Inspection) -> bool:
        """Whether an update cuts an emoji of the document."""
        return bool(self.clocks) and any(cut in self for cut in self.cut_by(inspection))

    def __contains__(self, half: Id) -> bool:
        clocks = self.clocks.get(half[0])
        if clocks is None:
            return False
        at = bisect_left(clocks, half[1])
        return at < len(clocks) and clocks[at] == half[1]


def check_halves(inspection: Inspection, known: StateVector) -> None:
    """Raise MalformedError if what is known of an update ends between the halves of an emoji."""
    for client, start, end in inspection.runs:
        clock = known.get(client, 0)
        if start < clock < end and (client, clock) in inspection.halves:
            raise MalformedError(f"half an emoji of client {client} at clock {clock} is something else already")


def tear(update: bytes, cut: Collection[Id]) -> bytes:
    """Return a well-formed update whose surrogate pairs with these second halves are U+FFFD twice."""
    parser = Parser(update)
    parser.parse()
    torn = [emoji for emoji in parser.emoji if (emoji.client, emoji.clock) in cut]
    texts: dict[int, int] = {}
    for emoji in torn:
        texts[emoji.text_at] = texts.get(emoji.text_at, emoji.text_bytes) + 2
    parts: list[bytes] = []
    position = 0
    begun = -1
    for emoji in torn:
        if emoji.text_at != begun:
            begun = emoji.text_at
            parts.append(update[position : begun - len(var_uint(emoji.text_bytes))])
            parts.append(var_uint(texts[begun]))
            position = begun
        parts += (update[position : emoji.at], _TORN)
        position = emoji.at + 4
    parts.append(update[position:])
    return b"".join(parts)
