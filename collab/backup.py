"""A copy of a database in one file, taken while a server writes to it, and read whole before it counts.

Not for: putting a copy in the place of a database (`restore`), nor for PostgreSQL, which has tools of
its own. Runs in a process of its own: a second handle of the file would cost the server its locks.
The rules are B of docs/spec.md.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from collab.errors import BackupError, ConfigurationError
from collab.settings import Settings
from collab.store.sql import parsed_url, path_of
from collab.store.sqlite import explain
from collab.verification import Contents, Progress, reading_only, verify

_PAGES_AT_ONCE: Final = 2_000
"""8 MB: often enough for whoever watches."""

_COMPANIONS: Final = re.compile(r"|-wal|-shm|-journal|\.lock|\.new|\.restoring|(\.damaged-|\.[0-9]{8}T).*")
"""What follows a database's name in the names of what SQLite, a server, a repair or a restore keep beside it."""

_OTHER_NAME: Final = "choose another name"


@dataclass(frozen=True, slots=True)
class Backup:
    """What came of a backup."""

    contents: Contents
    bytes: int
    seconds: float


def back_up(database: Path, target: Path, *, force: bool, progress: Progress, others: Sequence[Path] = ()) -> Backup:
    """Write a copy of `database` to `target`, which is there whole or not at all (B1 to B5).

    If that is a link, the copy goes where it points. `force` replaces a file that is there, but none of the
    server's: those that belong to the database, and `others`.

    Raises:
        StartupError: there is no such copy; the message says why.
    """
    started = time.monotonic()
    if not database.is_file():
        raise BackupError(f"there is no database {database}")
    with complaining(target):
        target = Path(os.path.realpath(target))
        unfinished = target.with_name(f"{target.name}.part")
        for each in (target, unfinished):
            _insist_on_a_place(each, database, others)
        if target.exists() and not force:
            raise _is_there(target)
        with part_of(unfinished) as part:
            copy(database, part.path, progress)
            contents = verify(part.path, database, progress)
            part.replace(target, force=force)
            return Backup(contents, target.stat().st_size, time.monotonic() - started)


def _is_there(target: Path) -> BackupError:
    return BackupError(f"there is a file {target} already: {_OTHER_NAME}, or replace it with --force")


def _insist_on_a_place(path: Path, database: Path, others: Sequence[Path]) -> None:
    """Refuse what is no regular file, and what is or will be one of the server's (B4)."""
    found = path.lstat() if os.path.lexists(path) else None
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise BackupError(f"{path} is no regular file: {_OTHER_NAME}")
    beside = [each for each in database.parent.iterdir() if _is_companion(each.name, database)]
    # By what it is, since a file may have other names, and by its name, since it may not be there yet.
    if any(path == Path(os.path.realpath(ours)) or _is_at(ours, found) for ours in (database, *beside, *others)):
        raise BackupError(f"{path} belongs to the server: {_OTHER_NAME}")
    if path.parent == Path(os.path.realpath(database.parent)) and _is_companion(path.name, database):
        raise BackupError(f"{path} would be taken for a part of the database {database}: {_OTHER_NAME}")


def _is_at(path: Path, found: os.stat_result | None) -> bool:
    """Whether `found` is the file at a path."""
    try:
        return found is not None and os.path.samestat(found, path.stat())
    except FileNotFoundError:
        return False


def _is_companion(name: str, database: Path) -> bool:
    return name.startswith(database.name) and bool(_COMPANIONS.fullmatch(name.removeprefix(database.name)))


def file_of(settings: Settings, tools: str) -> Path:
    """Return the SQLite file that the settings name; `tools` are those that do the same for PostgreSQL.

    Raises:
        ConfigurationError: they name something else.
    """
    url = parsed_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        raise ConfigurationError(f"a PostgreSQL database is backed up and restored by its own tools: use {tools}")
    return path_of(url).resolve()


# ---- the copy ----


def copy(source: Path, target: Path, progress: Progress) -> None:
    """Write what `source` holds at this moment into the file `target`, with no journal beside it (B1, B2).

    Raises:
        BackupError: `source` cannot be read.
    """
    with closing(reading_only(source)) as reading, closing(sqlite3.connect(target, isolation_level=None)) as writing:
        # Nobody else has this file, and if this process dies nobody will.
        writing.execute("PRAGMA journal_mode=OFF")
        writing.execute("PRAGMA synchronous=OFF")
        try:
            # One transaction around all steps; without, each commit of the server would start the copy again.
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.Error as error:
            raise BackupError(f"{source} cannot be read: {error}") from error
        reading.backup(
            writing,
            pages=_PAGES_AT_ONCE,
            progress=lambda _status, left, pages: progress("copied", pages - left, pages),
        )
        # The copy of a database with a WAL would want one, too, wherever it is opened.
        writing.execute("PRAGMA journal_mode=DELETE")


@dataclass(frozen=True, slots=True)
class Part:
    """A file on its way to its name. Owned by whoever locked it."""

    path: Path
    handle: int

    def replace(self, target: Path, *, force: bool = True) -> None:
        """Give the file its name, once it is on disk (B4).

        Raises:
            BackupError: there is a file of that name meanwhile, and `force` is not given.
        """
        os.fsync(self.handle)
        if force:
            self.path.replace(target)
        else:
            try:
                os.link(self.path, target)
            except FileExistsError as error:
                raise _is_there(target) from error
        sync_folder(target.parent)


@contextmanager
def part_of(path: Path) -> Iterator[Part]:
    """Make an empty file that nobody else writes to; it is gone at the end unless it got another name."""
    # No link is followed: what is written is nobody's but ours.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"{path} is being written by another process: wait for it") from error
        # Who had the lock before may have given the file its name meanwhile.
        if not path.exists() or not os.path.samestat(os.fstat(handle), path.stat()):
            raise BackupError(f"{path} was written by another process: try again")
        os.ftruncate(handle, 0)
        try:
            yield Part(path, handle)
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Keep a folder's names over a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def complaining(path: Path) -> Iterator[None]:
    """Turn whatever hinders writing `path` into the one sentence that the operator reads."""
    try:
        yield
    except sqlite3.Error as error:
        raise BackupError(str(explain(error, path) or f"{path} cannot be written: {error}")) from error
    except OSError as error:
        raise BackupError(f"{error.filename or path} cannot be written: {error.strerror}") from error
