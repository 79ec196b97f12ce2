"""What somebody puts inside of what is no shared type any more: garbage for every Yjs, so it comes in as garbage.

Why: honest clients write into a map that somebody has deleted meanwhile. pycrdt takes that only behind
the deletion, Yjs in any order. As garbage it is the same for both wherever it stands in the log. Not for:
who may (`layout`).
Source: Yjs Item.js, getMissing and integrate.
"""

from __future__ import annotations

from collections.abc import Set
from itertools import groupby

from collab.core.causality import Id, reach
from collab.core.deletions import DeleteSet
from collab.core.inspection import GC, Inspection, Parser, read
from collab.core.wire import StateVector, var_uint

_BESIDE = 0xC0
"""An item with one of these bits stands beside a neighbour; another names what it is inside of."""


def bury(update: bytes, graves: Set[Id], known: StateVector) -> tuple[bytes, Inspection]:
    """Return an update with all that stands inside of `graves` as garbage, and whatever refers to that; and read it.

    Its clocks and deletions stay what they are. What of it cannot be integrated on top of `known` is left as it is.
    """
    parser = Parser(update)
    parser.record = True
    parser.parse()
    buried = DeleteSet()
    for struct in reach((struct for struct in parser.recorded if not struct.skip), known).order:
        inside = not update[struct.begin_byte] & _BESIDE
        for client, clock in struct.refs:
            if (inside and (client, clock) in graves) or buried.covers(client, clock, clock + 1):
                buried.add(struct.client, struct.clock, struct.end)
                break
    clients: dict[int, list[bytes]] = {}
    starts: dict[int, int] = {}
    together = groupby(parser.recorded, lambda struct: (struct.client, buried.covers(*struct[:3])))
    for (client, inside), group in together:
        structs = list(group)
        starts.setdefault(client, structs[0].clock)
        body = clients.setdefault(client, [])
        if inside:
            body.append(bytes((GC,)) + var_uint(structs[-1].end - structs[0].clock))
        else:
            body += (update[struct.begin_byte : struct.end_byte] for struct in structs)
    parts = [var_uint(len(clients))]
    for client, body in clients.items():
        parts += (var_uint(len(body)), var_uint(client), var_uint(starts[client]), *body)
    update = b"".join((*parts, update[parser.recorded[-1].end_byte :]))
    return update, read(update)
