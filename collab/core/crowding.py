"""Who has to go when more waits for predecessors in one document than may (R12).

What waits is in memory only, its senders have it, and nobody was told that it is saved: it can be
forgotten. Not for: how much may wait (`waiting`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from collab.core.connection import Connection
from collab.core.expense import places_in
from collab.core.inspection import Inspection
from collab.core.replica import Replica, Verdict
from collab.core.waiting import CrowdedError, Parts, WaitingLimits, WaitingUpdate
from collab.errors import CollabError, UnavailableError


def admit_among(
    sender: Connection,
    replica: Replica,
    update: bytes,
    inspection: Inspection,
    parts: Parts | None,
    close: Callable[[Connection, CollabError], None],
) -> Verdict:
    """Let in what an update brings, at the cost of whoever has most waiting if there is no room for what must wait.

    First goes what waits of nobody who is here, then what only the person with the largest share has sent: their
    connections are closed, unless the sender has the largest.

    Raises:
        CrowdedError: the sender has the largest share.
        CollabError: the update cannot be let in, or waits for too much by itself.
    """
    while True:
        try:
            return replica.admit(update, inspection, parts, sender)
        except CrowdedError:
            if replica.waiting.forget(_is_nobodys):
                continue
            greediest = _greediest(replica, sender, update, inspection)
            if greediest is None:
                raise
            for each in {one for waiting in replica.waiting for one in waiting.senders if one.principal == greediest}:
                close(each, UnavailableError("too much waits in this document; send what you have again"))


def _is_nobodys(waiting: WaitingUpdate) -> bool:
    return all(sender.closed for sender in waiting.senders)


def _greediest(replica: Replica, sender: Connection, update: bytes, inspection: Inspection) -> str | None:
    """Return the principal of whom most waits, None if that is the sender, or if nothing does."""
    shares: dict[str, Counter[str]] = {}
    for waiting in replica.waiting:
        for principal in {each.principal for each in waiting.senders if not each.closed}:
            shares.setdefault(principal, Counter()).update(_size(waiting.update, waiting.inspection))
    if not shares:
        return None
    # What it brings now counts, too.
    shares.setdefault(sender.principal, Counter()).update(_size(update, inspection))
    parts = {principal: _part(size, replica.limits) for principal, size in shares.items()}
    greediest = max(parts, key=lambda principal: (parts[principal], principal == sender.principal))
    return None if greediest == sender.principal else greediest


def _size(update: bytes, inspection: Inspection) -> dict[str, int]:
    """Return how much an update is of what may wait only within limits, by their names."""
    return {"updates": 1, "bytes": len(update), "structs": inspection.structs, "places": places_in(inspection)}


def _part(size: Counter[str], limits: WaitingLimits) -> float:
    """Return how much of all that may wait this is, by the limit that is nearest."""
    most = {"updates": limits.updates, "bytes": limits.bytes, "structs": limits.structs, "places": limits.places}
    return max(amount / most[name] for name, amount in size.items())
