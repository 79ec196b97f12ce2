"""`python -m tests.durability.unsynced serve ...`: a server whose commits SQLite does not sync (hazards S2).

It is there to be caught: a check that can't fail proves nothing.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import Any

from collab.cli import main


class Connection(sqlite3.Connection):
    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        return super().execute(sql.replace("synchronous=FULL", "synchronous=NORMAL"), *arguments)


if __name__ == "__main__":
    sqlite3.connect = partial(sqlite3.connect, factory=Connection)  # type: ignore[assignment]
    main()
