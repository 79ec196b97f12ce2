"""What one typist sent and how much of it was acknowledged; and whether a document has it.

Every character that is ever typed into a document is another one, so its text alone tells what was
lost, doubled or brought back. Not for: reading documents (`evidence`), or typing (`typist`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

ALPHABET: Final = range(0x0800, 0xD800)
"""All of them are three bytes in UTF-8 and one unit in UTF-16: a position is three times an index."""

CHARACTER_BYTES: Final = 3


class Sent(NamedTuple):
    """One update that was sent."""

    end: int
    """The clock of its client behind it."""
    typed: str
    deleted: str


@dataclass
class Ledger:
    """Owned by one typist: what it sent to one document, in order."""

    client: int
    sent: list[Sent] = field(default_factory=list)
    acknowledged: int = 0
    """How many of them are on disk, as the server said."""


class Contents(NamedTuple):
    """What a reader finds in a document."""

    text: str
    state: Mapping[int, int]
    """How many clock ticks there are of each client."""


@dataclass(frozen=True)
class Findings:
    """What is wrong with a document; nothing is, if it is false."""

    lost: int = 0
    """Acknowledged updates that are not there, by their clocks or by their characters."""
    doubled: int = 0
    """Characters that are there more than once."""
    resurrected: int = 0
    """Characters that are there, although an acknowledged update deleted them."""
    invented: int = 0
    """Characters that nobody sent."""

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.resurrected or self.invented)

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.resurrected + other.resurrected,
            self.invented + other.invented,
        )


def compare(contents: Contents, ledgers: Sequence[Ledger], acknowledged: Sequence[int] | None = None) -> Findings:
    """Return what of these ledgers a document lacks, and what it has too much.

    `acknowledged` says how many updates of each ledger must be there; by default, all that were
    acknowledged.
    """
    if acknowledged is None:
        acknowledged = [ledger.acknowledged for ledger in ledgers]
    present = Counter(contents.text)
    deleted = _deleted(entry for ledger in ledgers for entry in ledger.sent)
    lost = resurrected = 0
    for ledger, count in zip(ledgers, acknowledged, strict=True):
        known = contents.state.get(ledger.client, 0)
        for entry in ledger.sent[:count]:
            # A character may be gone because somebody deleted it, acknowledged or not.
            missing = any(char not in present and char not in deleted for char in entry.typed)
            lost += missing or entry.end > known
            resurrected += any(char in present for char in entry.deleted)
    typed = {char for ledger in ledgers for entry in ledger.sent for char in entry.typed}
    return Findings(
        lost=lost,
        doubled=sum(count > 1 for count in present.values()),
        resurrected=resurrected,
        invented=len(present.keys() - typed),
    )


def _deleted(entries: Iterable[Sent]) -> set[str]:
    return {char for entry in entries for char in entry.deleted}
