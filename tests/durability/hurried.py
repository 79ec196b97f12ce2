"""`python -m tests.durability.hurried serve ...`: the server, with a checkpoint every few commits.

SQLite does one when the WAL has 1,000 pages, which takes an editor minutes; whoever wants to be there
when it happens cannot wait for that. Nothing else differs from `python -m collab`.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from collab.cli import main

WAL_PAGES: Final = 16

_connect = sqlite3.connect


def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = _connect(*arguments, **options)
    connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    return connection


if __name__ == "__main__":
    sqlite3.connect = connect  # type: ignore[assignment]
    main()
