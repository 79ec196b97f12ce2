"""Who brings something of a client id that belongs to somebody else who is here (R16).

That may be a forger, or the same person who comes from another address before their lost connection
has been noticed. So the owner is asked for a sign of life. Not for: waiting for it (`hub`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from collab.core.asking import ask_anew
from collab.core.connection import Connection, Trial
from collab.core.replica import Replica
from collab.errors import ForeignClientError


@dataclass(frozen=True, slots=True)
class Challenge:
    """Whoever gets it holds back what else the newcomer sends, waits a while, and calls `Room.decide`."""

    owner: Connection
    newcomer: Connection
    again: Callable[[], Trial | Challenge | None]
    """Takes once more what the newcomer sent; a second conflict closes them."""

    @classmethod
    def of(
        cls, owner: Connection, newcomer: Connection, replica: Replica, again: Callable[[], Trial | Challenge | None]
    ) -> Self:
        """Ask an owner for a sign of life: every client answers a SyncStep1."""
        if not owner.silent:
            owner.silent = True
            ask_anew(owner, replica)
        return cls(owner, newcomer, again)


class TakenError(ForeignClientError):
    """A client id belongs to somebody else who is here, as far as anybody knows."""

    def __init__(self, client: int, owner: Connection) -> None:
        super().__init__(client)
        self.owner = owner
