"""Who has to go when more waits for predecessors in one document than may (R12).

What waits is in memory only, its senders have it, and nobody was told that it is saved: it can be
forgotten. Not for: how much may wait (`waiting`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial

from collab.core.connection import Connection
from collab.core.inspection import Inspection
from collab.core.receipts import sent
from collab.core.replica import Replica, Verdict
from collab.core.waiting import CrowdedError, Parts
from collab.errors import CollabError, UnavailableError


def admit_among(
    connections: Iterable[Connection],
    sender: Connection,
    replica: Replica,
    update: bytes,
    inspection: Inspection,
    parts: Parts | None,
    close: Callable[[Connection, CollabError], None],
) -> Verdict:
    """Let in what an update brings, at the cost of whoever has most waiting if there is no room for what must wait.

    First goes what waits of nobody who is here, then what only the person with the largest share has
    sent: those `connections` are closed, unless the sender has the largest.

    Raises:
        CrowdedError: the sender has the largest share.
        CollabError: the update cannot be let in, or waits for too much by itself.
    """
    while True:
        try:
            return replica.admit(update, inspection, parts)
        except CrowdedError:
            holders = [each for each in connections if each.held or each.held_deletes]
            if replica.waiting.forget(partial(_is_nobodys, holders)):
                continue
            greediest = _greediest(replica, holders, sender)
            if greediest is None:
                raise
            for each in [holder for holder in holders if holder.principal == greediest]:
                close(each, UnavailableError("too much waits in this document; send what you have again"))


def _is_nobodys(holders: Iterable[Connection], waiting: Inspection) -> bool:
    return not any(sent(holder, waiting) for holder in holders)


def _greediest(replica: Replica, holders: Iterable[Connection], sender: Connection) -> str | None:
    """Return the principal of whom most waits, None if that is the sender, or if nothing does."""
    inspections = [waiting.inspection for waiting in replica.waiting]
    shares: dict[str, int] = defaultdict(int)
    for holder in holders:
        shares[holder.principal] += sum(sent(holder, waiting) for waiting in inspections)
    if not shares:
        return None
    greediest = max(shares, key=lambda principal: shares[principal])
    # What it brings now counts, too.
    return None if shares[greediest] <= shares[sender.principal] + 1 else greediest
