"""Whether the files of a SQLite database are still where they were: somebody may have moved or deleted them.

A process that has them open can go on without noticing, and what it writes is gone when it ends. They are
only looked at: opening and closing another handle would lose SQLite's locks (POSIX). The rule is S26 of
docs/spec.md.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Self

from collab.errors import UnavailableError

_SUFFIXES: Final = ("", "-wal", "-shm")
"""In WAL, SQLite keeps the last two from when the first connection opens the database until the last is closed."""

_Identity = tuple[int, int]


class Inodes:
    """Remembers which files these are."""

    def __init__(self, files: dict[str, _Identity]) -> None:
        self._files = files

    @classmethod
    def of(cls, database: Path) -> Self:
        """Return that of a database which SQLite has open and has written to."""
        names = [f"{database}{suffix}" for suffix in _SUFFIXES]
        return cls({name: found for name in names if (found := _identity(name)) is not None})

    def insist(self) -> None:
        """Take as little time as a commit can bear.

        Raises:
            UnavailableError: a file is gone, or another one is in its place. One that comes back is welcome.
        """
        for name, identity in self._files.items():
            if _identity(name) != identity:
                raise UnavailableError(f"the database file {name} is gone, or another one is in its place")


def _identity(name: str) -> _Identity | None:
    try:
        found = os.stat(name)  # noqa: PTH116 - a path costs three times as much
    except OSError:
        return None
    return found.st_dev, found.st_ino
