"""A backup in the place of a database: the old one or the new one, at whatever moment the process dies.

Not for: making backups (`backup`). The rules are B of docs/spec.md.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from collab.backup import complaining, copy, part_of, sync_folder
from collab.errors import BackupError
from collab.store.sqlite import explain, locked, make_folder
from collab.verification import Contents, Progress, verify

_JOURNALS: Final = ("-wal", "-shm", "-journal")
"""What SQLite may keep beside a database. It would take them for those of whatever has the database's name."""

_SQLITE_MODE: Final = 0o644
"""Of a file that it makes (SQLITE_DEFAULT_FILE_PERMISSIONS), before the umask."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a restore."""

    contents: Contents
    kept: tuple[Path, ...]
    """The files that were there before, where they are now: the database, if there was one, and its journals."""


def restore(backup: Path, database: Path, *, force: bool, progress: Progress) -> Restored:
    """Put the documents of `backup` in the place of `database`, each with another lineage (B6 to B9).

    `force` puts a database aside that is there, and takes a backup in which documents cannot be read.

    Raises:
        StartupError: nothing was changed; the message says why.
    """
    if not backup.is_file():
        raise BackupError(f"there is no file {backup}")
    with complaining(database):
        make_folder(database.parent)
        with locked(database, alone=True):
            if database.exists() and not force:
                raise BackupError(f"there is a database {database} already: put it aside with --force")
            with part_of(database.with_name(f"{database.name}.restoring")) as part:
                copy(backup, part.path, progress)
                contents = verify(part.path, backup, progress)
                if contents.damaged and not force:
                    raise BackupError(_damage(backup, contents))
                _draw_lineages(part.path)
                _give_to_the_same(part.handle, database)
                kept = _put_aside(database)
                part.replace(database)
                return Restored(contents, kept)


def _damage(backup: Path, contents: Contents) -> str:
    name, reason = contents.damaged[0]
    return (
        f"{len(contents.damaged)} of {contents.documents} documents in {backup} cannot be read,"
        f" such as {name!r} ({reason}): restore it all the same with --force"
    )


def _draw_lineages(path: Path) -> None:
    """Let no copy of a document from before the restore merge into it (L1)."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Nobody else has this file, and if this process dies nobody will.
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("UPDATE documents SET lineage = lower(hex(randomblob(16)))")


def _give_to_the_same(handle: int, database: Path) -> None:
    """Let the same people read and write a file who may do so with the database, or with one that a server makes."""
    if not database.exists():
        os.fchmod(handle, _SQLITE_MODE & ~_umask())
        return
    there = database.stat()
    # Only root may, and only root needs to: nobody else replaces the file of a server that runs as somebody else.
    with suppress(PermissionError):
        os.fchown(handle, there.st_uid, there.st_gid)
    os.fchmod(handle, stat.S_IMODE(there.st_mode))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _put_aside(database: Path) -> tuple[Path, ...]:
    """Give the database that is there a second name, and leave no journal at the first; return the new names (B8)."""
    # SQLite would delete the log of an empty one.
    if database.exists() and database.stat().st_size:
        _merge_journals(database)
    aside = database.with_name(f"{database.name}.{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    journals = [suffix for suffix in _JOURNALS if _beside(database, suffix).exists()]
    for suffix in journals:
        os.link(_beside(database, suffix), _beside(aside, suffix))
    if database.exists():
        # Not renamed: at every moment something complete has the database's name.
        os.link(database, aside)
    sync_folder(database.parent)
    for suffix in journals:
        _beside(database, suffix).unlink()
    sync_folder(database.parent)
    return tuple(path for path in (aside, *(_beside(aside, suffix) for suffix in journals)) if path.exists())


def _merge_journals(database: Path) -> None:
    """Have SQLite bring what it keeps beside a database into it; a damaged one keeps its journals."""
    try:
        with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        if reason := explain(error, database):
            raise BackupError(str(reason)) from error


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
