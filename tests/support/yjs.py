"""A Yjs client in Python for tests: it edits a pycrdt Doc, and takes what others wrote in the right order.

A pycrdt Doc is a bad judge of convergence (hazards P1): what arrives too early is kept in a Replica
until its predecessors are here, as Yjs does. Not for: sockets (`websocket_peer`).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from pycrdt import Doc, TransactionEvent

from collab.core.inspection import read
from collab.core.merging import merge
from collab.core.replica import Replica
from tests.support.edits import edit
from tests.support.view import View, roots, view


class Client(Protocol):
    """Somebody who edits a document, whatever library does it."""

    def edit(self, random: Random) -> list[bytes]:
        """Change something; return the updates that say so."""

    def receive(self, update: bytes) -> list[bytes]:
        """Take in somebody's update; return the updates that this led to."""

    def state_vector(self) -> bytes:
        """Return what is integrated."""

    def answer(self, state_vector: bytes) -> bytes:
        """Return what `state_vector` lacks, with what waits here for its predecessors."""

    def view(self) -> View:
        """Return what the document holds."""

    def close(self) -> None:
        """Let go of the document."""


class Peer:
    """A client on pycrdt.

    What arrives is kept in order until `catch_up` lets the Doc see it, so that a test decides what
    this client has seen when it edits. Somebody must close it.
    """

    def __init__(self, client_id: int) -> None:
        self.doc: Doc[Any] = Doc(client_id=client_id)
        roots(self.doc)
        self.received = Replica()
        """All that arrived, and all that was written here."""
        self.arrived: list[bytes] = []
        """What can be integrated, in that order."""
        self.seen = 0
        """How many of these the Doc has."""
        self._early: list[bytes] = []
        self._written: list[bytes] = []
        self._subscription = self.doc.observe(self._record)
        self._applying = False

    def close(self) -> None:
        """Let go of the Doc, which an observer would keep alive for ever (hazards P11)."""
        self.doc.unobserve(self._subscription)

    def edit(self, random: Random) -> list[bytes]:
        return self.write(lambda: edit(self.doc, random))

    def write(self, change: Callable[[], None]) -> list[bytes]:
        """Change the Doc in one transaction; return the update that says so, none if nothing changed."""
        with self.doc.transaction():
            change()
        written, self._written = self._written, []
        for update in written:
            self.received.admit(update, read(update))
        self.received.take_integrated()
        return written

    def receive(self, update: bytes) -> list[bytes]:
        self.arrive(update)
        self.catch_up()
        return []

    def arrive(self, update: bytes) -> None:
        """Keep somebody's update until `catch_up`."""
        self.received.admit(update, read(update))
        self.arrived += [each.update for each in self.received.take_integrated()]
        if self.received.waiting:
            self._early.append(update)
        else:
            self._early.clear()

    def catch_up(self, upto: int | None = None) -> None:
        """Let the Doc see the first `upto` of what arrived, by default all."""
        upto = len(self.arrived) if upto is None else upto
        self._applying = True
        for update in self.arrived[self.seen : upto]:
            self.doc.apply_update(update)
        self._applying = False
        self.seen = max(self.seen, upto)

    def state_vector(self) -> bytes:
        return self.received.state_vector()

    def answer(self, state_vector: bytes) -> bytes:
        return merge([self.doc.get_update(state_vector), *self._early])

    def view(self) -> View:
        return view(self.doc)

    def _record(self, event: TransactionEvent) -> None:
        if not self._applying:
            self._written.append(event.update)
