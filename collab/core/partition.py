"""Cut an update in two: what can be integrated now, and what has to wait.

Not for: keeping what waits (`waiting`). The bytes of a struct stand alone in the v1
encoding, so they are copied, never decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from collab.core.causality import Id, Reached, Struct, reach
from collab.core.inspection import SKIP, Inspection, Parser, Run, read
from collab.core.merging import without
from collab.core.wire import EMPTY_UPDATE, StateVector, encode_delete_set, encode_state_vector, var_uint


class Cut(NamedTuple):
    """An update in two parts. Either may be the empty update."""

    ready: bytes
    rest: bytes
    missing: frozenset[Id]
    """What the rest waits for: when any of it is there, more can be integrated."""


def first_missing(inspection: Inspection, known: StateVector) -> Id | None:
    """Return the first (client, clock) that must be integrated before an update, if any."""
    reached = known
    grown: dict[int, int] = {}
    several = len(inspection.runs) > 1 or inspection.deletes
    for client, start, end in inspection.runs:
        clock = reached.get(client, 0)
        if start > clock:
            return client, clock
        if several and end > clock:
            if not grown:
                reached = grown = dict(known)
            grown[client] = end
    for client, clock in inspection.needs:
        if clock >= reached.get(client, 0):
            return client, clock
    if inspection.deletes:
        for client, _, end in inspection.deletes:
            if end > reached.get(client, 0):
                return client, end - 1
    return None


def repeats(inspection: Inspection, known: StateVector) -> bool:
    """Whether an update says again what is known."""
    for client, start, _ in inspection.runs:  # noqa: SIM110 - for each keystroke; any() takes twice as long
        if start < known.get(client, 0):
            return True
    return False


def news_of(update: bytes, known: StateVector) -> tuple[bytes, Inspection]:
    """Return what can be integrated of an update, without what is known: what it says of that is not believed (R21)."""
    ready, _ = split(update, known)
    inspection = read(ready)
    if repeats(inspection, known):  # a struct that is known in part
        ready = without(ready, encode_state_vector(known))
        inspection = read(ready)
    return ready, inspection


def split(update: bytes, known: StateVector) -> tuple[bytes, bytes]:
    """Return the part of a well-formed update that can be integrated on top of `known`, and the rest.

    Both are well-formed; together, and with what is known, they say the same. Structs that are known
    are in neither: nobody looks at what such a copy refers to.
    """
    (parts,) = cut([update], known)
    return parts.ready, parts.rest


def cut(updates: Sequence[bytes], known: StateVector) -> list[Cut]:
    """Return the same of several updates, of which each may be what the others wait for.

    Their ready parts can be integrated together, not one by one.
    """
    parsers = [Parser(update) for update in updates]
    deletes: list[tuple[Run, ...]] = []
    structs: list[Struct] = []
    for parser in parsers:
        parser.record = True
        deletes.append(parser.parse())
        structs += [struct for struct in parser.recorded if not struct.skip and _is_news(struct, known)]
    if len(updates) > 1:
        structs.sort(key=lambda struct: struct.clock)
    reached = reach(structs, known)
    return [_cut(parser, spans, known, reached) for parser, spans in zip(parsers, deletes, strict=True)]


def in_pieces(snapshot: bytes, structs: int = 20) -> list[bytes]:
    """Return a complete state as updates of so many structs, of which each needs only those before it."""
    parser = Parser(snapshot)
    parser.record = True
    deleted = parser.parse()
    order = reach(parser.recorded, {}).order
    pieces = []
    for at in range(0, len(order), structs):
        together: dict[int, list[Struct]] = {}
        for struct in order[at : at + structs]:
            together.setdefault(struct.client, []).append(struct)
        pieces.append(_assemble(snapshot, dict(sorted(together.items(), reverse=True)), {}))
    deletes: dict[int, list[tuple[int, int]]] = {}
    for client, start, end in deleted:
        deletes.setdefault(client, []).append((start, end))
    return [*pieces, _assemble(snapshot, {}, deletes)]


def _is_news(struct: Struct, known: StateVector) -> bool:
    return struct.end > known.get(struct.client, 0)


def _cut(parser: Parser, deletes: Sequence[Run], known: StateVector, reached: Reached) -> Cut:
    ready: dict[int, list[Struct]] = {}
    rest: dict[int, list[Struct]] = {}
    for struct in parser.recorded:
        if not struct.skip and _is_news(struct, known):
            side = ready if struct.end <= reached.clocks.get(struct.client, 0) else rest
            side.setdefault(struct.client, []).append(struct)
    missing = {reached.stops[client] for client in rest}
    now: dict[int, list[tuple[int, int]]] = {}
    later: dict[int, list[tuple[int, int]]] = {}
    for client, start, end in deletes:
        middle = min(max(reached.clocks.get(client, 0), start), end)
        if start < middle:
            now.setdefault(client, []).append((start, middle))
        if middle < end:
            if client not in later:
                missing.add((client, end - 1))
            later.setdefault(client, []).append((middle, end))
    update = parser.data
    return Cut(_assemble(update, ready, now), _assemble(update, rest, later), frozenset(missing))


def _assemble(update: bytes, structs: dict[int, list[Struct]], deletes: dict[int, list[tuple[int, int]]]) -> bytes:
    """Return an update of these structs, whose bytes stand in `update`, with Skips where they leave a gap."""
    if not structs and not deletes:
        return EMPTY_UPDATE
    parts = [var_uint(len(structs))]
    for client, items in structs.items():
        body: list[bytes] = []
        clock = items[0].clock
        for item in items:
            if item.clock > clock:
                body.append(bytes((SKIP,)) + var_uint(item.clock - clock))
            body.append(update[item.begin_byte : item.end_byte])
            clock = item.end
        parts += [var_uint(len(body)), var_uint(client), var_uint(items[0].clock), *body]
    parts.append(encode_delete_set(deletes))
    return b"".join(parts)
