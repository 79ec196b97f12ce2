"""When SQLite's write-ahead log goes into the database, and what if the disk does not keep it.

SQLite would do it by itself, but tells nobody of a checkpoint that fails: it ignores the result
(`sqlite3WalDefaultHook` in its main.c), and what is tried again after a failed fsync succeeds and proves
nothing (hazard S5). Not for the last one, at the closing. The rule is S19 of docs/spec.md.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from collab.store.leftovers import wal_of

LOG_BYTES: Final = 4 << 20
"""How long the log may get, as with SQLite: 1,000 pages."""

COMMITS: Final = 250
"""After how many commits it is about that long: a keystroke's changes four pages. The file does not tell, since
SQLite begins the log anew in its place."""

FAILED_SYNCS: Final = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)


class Checkpoints:
    """Owns the connection's checkpoints. It is used on the thread that writes."""

    def __init__(self, writer: sqlite3.Connection, database: Path, commits: int = COMMITS) -> None:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        # One that got longer is cut when it begins anew, so that it tells when it gets too long again.
        writer.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
        self._writer = writer
        # As text: a path costs three times as much, with every commit.
        self._log = str(wal_of(database))
        self._at_most = commits
        self._commits = 0

    def committed(self) -> None:
        """Take note of a commit, and do a checkpoint if the log is long. It waits for nobody who reads.

        Raises:
            sqlite3.OperationalError: the disk did not keep what was written; the commit is in the log.
        """
        self._commits += 1
        if self._commits < self._at_most and self._length() <= LOG_BYTES:
            return
        try:
            self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) in FAILED_SYNCS:
                raise
            # All is in the log as before. A full disk, say: the next commit tries it again.
            return
        self._commits = 0

    def _length(self) -> int:
        try:
            return os.stat(self._log).st_size  # noqa: PTH116
        except FileNotFoundError:
            # There is a rollback journal instead.
            return 0
