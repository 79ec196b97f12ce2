"""Documents that several people have written, as the updates that they sent, without any server.

For tests of what a store does with updates. Not for: what goes through a server (`typist`).
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from pycrdt import Doc, Text

from tests.durability.ledger import ALPHABET, CHARACTER_BYTES, Ledger, Sent
from tests.durability.typist import ROOT


class Manuscript:
    """One document and its writers. Each has seen some of what the others wrote when it writes."""

    def __init__(self, random: Random, writers: int = 3) -> None:
        self.ledgers = [Ledger(client) for client in range(1, writers + 1)]
        self._random = random
        self._characters = map(chr, ALPHABET)
        self._docs: list[Doc[Any]] = [Doc(client_id=ledger.client) for ledger in self.ledgers]
        self._sent: list[bytes] = []
        self._seen = [0] * writers

    def updates(self, count: int) -> Iterator[tuple[Ledger, bytes]]:
        """Write so many updates, one at a time; each may need any of those before it."""
        for _ in range(count):
            at = self._random.randrange(len(self._docs))
            self._read(at)
            update = self._write(self._docs[at], self.ledgers[at])
            self._sent.append(update)
            yield self.ledgers[at], update

    def _read(self, at: int) -> None:
        upto = self._random.randint(self._seen[at], len(self._sent))
        for update in self._sent[self._seen[at] : upto]:
            self._docs[at].apply_update(update)
        self._seen[at] = upto

    def _write(self, doc: Doc[Any], ledger: Ledger) -> bytes:
        text = doc.get(ROOT, type=Text)
        before = doc.get_state()
        clock = ledger.sent[-1].end if ledger.sent else 0
        present = str(text)
        if present and self._random.random() < 0.35:
            place = self._random.randrange(len(present))
            del text[place * CHARACTER_BYTES : (place + 1) * CHARACTER_BYTES]
            ledger.sent.append(Sent(clock, "", present[place]))
        else:
            char = next(self._characters)
            text.insert(self._random.randint(0, len(present)) * CHARACTER_BYTES, char)
            ledger.sent.append(Sent(clock + 1, char, ""))
        # With everything that was deleted so far, as Yjs gives it, too, to whoever asks for a difference.
        return doc.get_update(before)
