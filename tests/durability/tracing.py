"""strace, which records what a server does to its disk, and makes that disk fail.

It needs no compiler, records the real process, and stands between it and the kernel: what it makes fail
fails for SQLite itself. A machine without it fails the tests that need it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest


def _strace(*options: str) -> list[str]:
    program = shutil.which("strace")
    if program is None:
        pytest.fail("there is no strace on the PATH, and nothing else shows what reaches the disk: see `make test`")
    # The tracer is a child of the server, not its parent, so that signals and exit codes are the server's.
    return [program, "-D", "-q", "-f", *options]


def kill_at_write(path: Path, number: int) -> Sequence[str]:
    """Return a command that kills what it runs at its `number`-th write to a file."""
    return _strace("-o", "/dev/null", "-P", str(path), "-e", "trace=pwrite64",
                   "-e", f"inject=pwrite64:signal=KILL:when={number}")  # fmt: skip


def record(log: Path, *, kill_at_sync: int | None = None, fail_from_sync: int | None = None) -> Sequence[str]:
    """Return a command that records all that what it runs does to files, and sends.

    It kills what it runs when one of its threads is about to do its `kill_at_sync`-th sync, or has all syncs of
    a thread fail from that one on.
    """
    calls = "openat,pwrite64,write,writev,sendto,sendmsg,fdatasync,fsync,ftruncate,unlink,rename"
    options = ["-o", str(log), "-y", "-xx", "-s", "1000000", "-e", f"trace={calls}"]
    if kill_at_sync is not None:
        return _strace(*options, "-e", f"inject=fdatasync:signal=KILL:when={kill_at_sync}")
    if fail_from_sync is not None:
        return _strace(*options, "-e", f"inject=fdatasync:error=EIO:when={fail_from_sync}+")
    # With a filter in the kernel all other calls run at full speed; with it, nothing is injected.
    return _strace("--seccomp-bpf", *options)


def fail_sync(path: Path, number: int, after_seconds: float = 0.0) -> Sequence[str]:
    """Return a command in which the `number`-th sync of a file fails, as on a disk that lost a block.

    A real disk often tries for a while before it gives up: `after_seconds`.
    """
    failing = f"fdatasync,fsync:error=EIO:delay_enter={int(after_seconds * 1e6)}:when={number}"
    return _strace("-o", "/dev/null", "-P", str(path), "-e", "trace=fdatasync,fsync",
                   "-e", f"inject={failing}")  # fmt: skip


def delay_sync(path: Path, number: int, seconds: float) -> Sequence[str]:
    """Return a command in which the `number`-th sync of a file takes so long."""
    return _strace("-o", "/dev/null", "-P", str(path), "-e", "trace=fdatasync",
                   "-e", f"inject=fdatasync:delay_enter={int(seconds * 1e6)}:when={number}")  # fmt: skip
