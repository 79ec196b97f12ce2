"""What can befall a disk or a database, one class each: how it strikes, shows, and goes (G11).

The faults are real: a file system without room, a lock of another process, and calls that fail or take
long in the kernel. Not for: what a server must do meanwhile (`outages`).
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final, Protocol

import pytest

from tests.durability import tracing
from tests.support.server import Server

SIZE_BYTES: Final = 8 << 20


class Ailment(Protocol):
    """Something that befalls one server."""

    @property
    def reason(self) -> str:
        """What /readyz says of it, at least."""

    def prepare(self, server: Server) -> None:
        """Get ready, before the server starts."""

    def strike(self) -> None:
        """Begin, if it does not by itself."""

    def heal(self) -> None:
        """Go, if it does not by itself."""

    def outside(self, path: Path) -> Path:
        """Return where a file of the server's is for this process."""

    def close(self) -> None:
        """Leave nothing behind."""


class Lock(Ailment):
    """Another process holds the database for itself."""

    reason = "is locked by another process"

    def __init__(self) -> None:
        self._other: sqlite3.Connection | None = None

    def prepare(self, server: Server) -> None:
        self._database = server.database

    def strike(self) -> None:
        self._other = sqlite3.connect(self._database, isolation_level=None, timeout=20)
        self._other.execute("BEGIN EXCLUSIVE")

    def heal(self) -> None:
        if self._other is not None:
            self._other.close()
            self._other = None

    def outside(self, path: Path) -> Path:
        return path

    def close(self) -> None:
        self.heal()


class Moved(Ailment):
    """Somebody moves the server's folder away, and back."""

    reason = "is gone, or another one is in its place"

    def prepare(self, server: Server) -> None:
        self._folder = server.folder
        self._elsewhere = server.folder.with_name(f"{server.folder.name}-elsewhere")

    def strike(self) -> None:
        self._folder.rename(self._elsewhere)

    def heal(self) -> None:
        self._elsewhere.rename(self._folder)

    def outside(self, path: Path) -> Path:
        return path

    def close(self) -> None:
        """There is nothing to leave behind."""


class FullDisk(Ailment):
    """A file system of 8 MiB is full. It is mounted where only the server sees it."""

    reason = "the disk is full"

    def __init__(self) -> None:
        self._holder: subprocess.Popen[str] | None = None

    def prepare(self, server: Server) -> None:
        server.folder.mkdir()
        script = f'mount -t tmpfs -o size={SIZE_BYTES} none "$1" && echo mounted && exec sleep 600'
        private = ["-m"] if os.geteuid() == 0 else ["-U", "-r", "-m"]
        command = ["unshare", *private, "sh", "-c", script, "sh", str(server.folder)]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._holder.stdout is not None
        if (said := self._holder.stdout.readline()) != "mounted\n":
            pytest.fail(f"a disk of 8 MiB cannot be mounted, neither as root nor in a namespace of one's own: {said}")
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        server.wrapper = ["nsenter", "--target", str(self._holder.pid), "--mount", *user]
        self._ballast = self.outside(server.folder / "ballast")

    def strike(self) -> None:
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def heal(self) -> None:
        self._ballast.unlink()

    def outside(self, path: Path) -> Path:
        assert self._holder is not None
        return Path(f"/proc/{self._holder.pid}/root{path.resolve()}")

    def close(self) -> None:
        if self._holder is not None:
            assert self._holder.stdout is not None
            self._holder.stdout.close()
            self._holder.kill()
            self._holder.wait()


class Traced(Ailment):
    """A sync of the log, or of another file of the database, fails or takes long, at a random moment, by itself."""

    def __init__(
        self, reason: str, trace: Callable[[Path, int], Sequence[str]], number: int, suffix: str = "-wal"
    ) -> None:
        self._reason = reason
        self._trace = trace
        self._number = number
        self._suffix = suffix

    @property
    def reason(self) -> str:
        return self._reason

    def prepare(self, server: Server) -> None:
        file = server.database.with_name(server.database.name + self._suffix)
        server.wrapper = self._trace(file, self._number)

    def strike(self) -> None:
        """It comes when the time has come."""

    def heal(self) -> None:
        """It goes as it came."""

    def outside(self, path: Path) -> Path:
        return path

    def close(self) -> None:
        """There is nothing to leave behind."""


def slow_disk(random: Random) -> Traced:
    """A commit takes five seconds."""
    trace = lambda log, number: tracing.delay_sync(log, number, 5)  # noqa: E731
    return Traced("the transaction under way has not ended", trace, random.randint(150, 250))


def failed_sync(random: Random) -> Traced:
    """A sync fails, after people could type for a second more. The kernel still has what it should have written.

    What comes of it if the kernel takes it for written, and a power cut follows, is `test_power_cuts`' part.
    """
    # Without the second it is left to chance whether anything waits behind what the sync was for.
    trace = lambda log, number: tracing.fail_sync(log, number, 1)  # noqa: E731
    return Traced("the disk did not keep", trace, random.randint(150, 250))


def failed_checkpoint(random: Random) -> Traced:
    """A sync of the database fails, while what is written to the log is kept."""
    return Traced("the disk did not keep", tracing.fail_sync, random.randint(15, 25), suffix="")
