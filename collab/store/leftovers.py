"""What a process before has left of a SQLite database in the kernel's cache: put on the disk, or forgotten.

After a failed fsync the kernel takes pages for written that are not (hazard S5). Another fsync passes over
them, and whoever reads the file finds them: SQLite would take for committed what a power cut takes away.

Not for what this process itself fails to sync: then it ends. The rule is S14 of docs/spec.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from collab.errors import DatabaseUnusableError

PIECE_BYTES: Final = 1 << 18
"""How much of a log is in memory at a time: one that a long reader held up has hundreds of megabytes."""


def wal_of(database: Path) -> Path:
    """Return where SQLite keeps the write-ahead log of a database."""
    return database.with_name(f"{database.name}-wal")


def insist_on_both(database: Path) -> None:
    """Make sure that a log has its database: SQLite would delete it, with what was saved last, for a new or empty one.

    To be called before SQLite opens the database, if only to read it.

    Raises:
        DatabaseUnusableError: it has none, or an empty file is in its place.
    """
    log = wal_of(database)
    if not (log.exists() and log.stat().st_size) or (database.exists() and database.stat().st_size):
        return
    what = "is empty" if database.exists() else "is not there"
    raise DatabaseUnusableError(
        f"the database {database} {what}, but its log is there, with what was saved last: put the database back "
        f"beside {log}, or put that away"
    )


def settle(database: Path) -> None:
    """Forget what the cache has of a database and its log; what then is in the log is on the disk.

    Before SQLite opens it in this process, whose locks would be lost (POSIX), and while nobody else may write
    to it. Without a log nothing is left: SQLite deletes it when all is in the database, and synced.

    Raises:
        DatabaseUnusableError: the disk did not keep it.
        OSError: a file cannot be opened.
    """
    log = wal_of(database)
    if not (database.exists() and log.exists()):
        return
    with _opened(database, database, os.O_RDONLY) as handle:
        # That is enough: SQLite counts a checkpoint as done only after its sync, and the next process, which
        # finds no wal-index, copies every frame of the log once more.
        _forget(handle)
    with _opened(log, database, os.O_RDWR) as handle:
        _forget(handle)
        # For what the kernel would not forget.
        _write_again(handle)
    sync_folder(database.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _opened(path: Path, database: Path, flags: int) -> Iterator[int]:
    handle = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield handle
    except OSError as error:
        raise DatabaseUnusableError(
            f"the disk did not keep what was written to the database {database}: {error.strerror}"
        ) from error
    finally:
        os.close(handle)


def _forget(handle: int) -> None:
    """Have what is read of a file be what the disk has.

    Not even what is about to be written again can do without: ext4 (Linux 6.18) writes a page that failed once
    more, but does not note that there is something in its block, which is read as zeros after a power cut.
    """
    # What is dirty is not forgotten.
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def _write_again(handle: int) -> None:
    at = 0
    while piece := os.pread(handle, PIECE_BYTES, at):
        at += os.pwrite(handle, piece, at)
    os.fsync(handle)
