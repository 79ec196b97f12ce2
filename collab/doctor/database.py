"""What a doctor needs of a database: to look at it, and to treat it.

One implementation for each kind (`sqlite.py`). Not for what is done with it (`rounds.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from collab.store.census import Readable
from collab.store.salvage import Salvaged

T = TypeVar("T")
Say = Callable[[str], None]
"""Tells whoever waits that something begins which may take long."""


class Looking(Readable, Protocol):
    """A database while it is looked at. Nothing of it is written."""

    @property
    def revision(self) -> str:
        """Of its tables."""

    async def storage_problems(self) -> list[str]:
        """Return what the database finds wrong with its own files, if it can be asked."""

    async def orphans(self) -> list[str]:
        """Return which rows belong to no document. The tables have to be there."""


class Treating(Readable, Protocol):
    """A database while it is treated. Its tables are those of this release."""

    @property
    def salvaged(self) -> Salvaged | None:
        """What had to be done to its file before anything could be written."""

    def write(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """Do `work` in one transaction: on disk when it returns, undone if it raises."""


class Database(Protocol):
    """A database in a doctor's care. Both of these raise a StartupError if it can't be had."""

    @property
    def name(self) -> str:
        """What an operator calls it."""

    def looking(self) -> AbstractAsyncContextManager[Looking]:
        """Open it to be looked at, also while servers use it (D1, D8)."""

    def treating(self, say: Say) -> AbstractAsyncContextManager[Treating]:
        """Open it to be treated."""
