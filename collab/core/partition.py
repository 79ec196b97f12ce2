"""Cut an update in two: what can be integrated now, and what has to wait.

Not for: deciding whether it must be cut (`replica`). The bytes of a struct stand alone in the v1
encoding, so they are copied, never decoded.
"""

from __future__ import annotations

from collab.core.causality import Struct, reach
from collab.core.inspection import SKIP, Parser
from collab.core.wire import EMPTY_UPDATE, StateVector, encode_delete_set, var_uint


def split(update: bytes, known: StateVector) -> tuple[bytes, bytes]:
    """Return the part of a well-formed update that can be integrated on top of `known`, and the rest.

    Either may be the empty update. Both are well-formed; together, and with what is known, they say
    the same. Structs that are known are in neither: nobody looks at what such a copy refers to.
    """
    parser = Parser(update)
    parser.record = True
    inspection = parser.inspection()
    reached = reach((struct for struct in parser.recorded if not struct.skip), dict(known))
    ready: dict[int, list[Struct]] = {}
    rest: dict[int, list[Struct]] = {}
    for struct in parser.recorded:
        if not struct.skip and struct.end > known.get(struct.client, 0):
            side = ready if struct.end <= reached.get(struct.client, 0) else rest
            side.setdefault(struct.client, []).append(struct)
    now: dict[int, list[tuple[int, int]]] = {}
    later: dict[int, list[tuple[int, int]]] = {}
    for client, start, end in inspection.deletes:
        middle = min(max(reached.get(client, 0), start), end)
        if start < middle:
            now.setdefault(client, []).append((start, middle))
        if middle < end:
            later.setdefault(client, []).append((middle, end))
    return _assemble(update, ready, now), _assemble(update, rest, later)


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
