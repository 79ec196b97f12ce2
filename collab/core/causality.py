"""In which order structs can be integrated: each only after everything that it refers to.

Not for: reading them (`inspection`). Source: Yjs StructStore.js, integrateStructs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import NamedTuple

from collab.core.wire import StateVector

Id = tuple[int, int]
"""(client id, clock): the name of one element of the document."""


class Struct(NamedTuple):
    """One struct of an update, and where its bytes stand."""

    client: int
    clock: int
    end: int
    refs: tuple[Id, ...]
    """What must be there before it: its neighbours, or what it is inside of."""
    begin_byte: int
    end_byte: int
    skip: bool


class Emoji(NamedTuple):
    """A character outside of the basic plane, which Yjs keeps as a surrogate pair."""

    client: int
    clock: int
    """Of the second half."""
    text_at: int
    """Where the bytes of the text begin that it stands in; their length stands in front of them."""
    text_bytes: int
    at: int
    """Where its own four bytes begin."""


class Reached(NamedTuple):
    """How far clients get."""

    clocks: dict[int, int]
    """For each client the clock after the last that can be integrated."""
    order: list[Struct]
    """What can be integrated, each after all that it refers to."""
    stops: dict[int, Id]
    """What is missing for the next struct of each client who gets no further."""


def reach(structs: Iterable[Struct], known: StateVector) -> Reached:
    """Return how far each client gets if structs are taken only when all that they refer to is there.

    Each struct is looked at once for each thing that it refers to: a client that waits is looked at
    again when that is there, not whenever the client that it waits for has moved.
    """
    reached = dict(known)
    order: list[Struct] = []
    queues: dict[int, deque[Struct]] = {}
    for struct in structs:
        queues.setdefault(struct.client, deque()).append(struct)
    waiting: dict[int, list[tuple[int, int]]] = {}
    """For each client who waits for it, a heap: the clock that must be there, and who waits."""
    due = deque(queues)
    while due:
        client = due.popleft()
        queue = queues[client]
        while queue and queue[0].clock <= reached.get(client, 0):
            missing = next(((c, k) for c, k in queue[0].refs if k >= reached.get(c, 0)), None)
            if missing is not None:
                heappush(waiting.setdefault(missing[0], []), (missing[1], client))
                break
            struct = queue.popleft()
            order.append(struct)
            reached[client] = max(reached.get(client, 0), struct.end)
        heap = waiting.get(client, [])
        while heap and heap[0][0] < reached.get(client, 0):
            due.append(heappop(heap)[1])
    stops = {client: (other, clock) for other, heap in waiting.items() for clock, client in heap}
    for client, queue in queues.items():
        if queue and queue[0].clock > reached.get(client, 0):
            stops[client] = client, queue[0].clock - 1
    return Reached(reached, order, stops)


def circle_in(structs: Iterable[Struct], begins: StateVector, ends: StateVector) -> int | None:
    """Return a client that refers to itself through others, if there is one.

    As if whatever the structs build on, and whatever lies between them, were here: only references to
    clocks from `begins` up to `ends` count.
    """

    def within(reference: Id) -> bool:
        client, clock = reference
        return client in ends and begins[client] <= clock < ends[client]

    closed = [struct._replace(refs=tuple(filter(within, struct.refs))) for struct in structs]
    reached = reach(closed, begins).clocks
    return next((client for client, end in ends.items() if reached[client] < end), None)
