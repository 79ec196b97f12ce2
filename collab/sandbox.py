"""Work in a process of its own, with limits: for bytes that may crash, hang or fill whoever reads them.

Not for: anything that needs the state of this process. The functions run here are importable, take
and return what pickle can carry, and may be killed at any moment. On anyio's worker processes,
which are kept warm between calls and thrown away when a call does not come back.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Final, TypeVar, TypeVarTuple

import anyio
import anyio.to_process
from anyio import BrokenWorkerProcess, CapacityLimiter

from collab.errors import CollabError, TooLargeError, UnavailableError

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

PATIENCE: Final = 6
"""How many times as long as its share of a core a call may take by the clock: others may keep a machine busy."""

MEMORY_BYTES: Final = 2 << 30
"""Address space of a worker: twenty times what the largest document we know takes."""


LAST_WORDS_BYTES: Final = 4096
"""Of a worker that has overspent: the first line would do."""


class WorkerCrashError(CollabError):
    """The work failed in a way that is none of ours: what it was given is bad."""


class WorkerGoneError(WorkerCrashError):
    """The process that did the work is gone: killed by its input, by the kernel for want of memory, or by somebody."""


class OverspentError(TooLargeError):
    """The work took more of a core than it was given."""


class Sandbox:
    """A few worker processes, started when they are first needed."""

    def __init__(self, processes: int = 1, seconds: float = 10.0) -> None:
        """Use at most so many processes at once, and give a call so many seconds of a core."""
        self._processes = processes
        self._seconds = seconds
        self._limiter: CapacityLimiter | None = None

    async def run(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """Return `function(*arguments)`, computed in another process; in one more if that dies.

        It may have died for want of memory, or by somebody's hand: what kills of itself does it twice.

        Raises:
            WorkerGoneError: both processes died.
            WorkerCrashError: the function raised an error that is none of ours.
            UnavailableError: there is no room for a temporary file, or for another process.
            OverspentError: it took too much of a core; it was killed.
            TooLargeError: it took too long by the clock, for whatever reason; it was killed.
            CollabError: whatever of ours the function raised.
        """
        try:
            return await self._run_once(function, *arguments)
        except WorkerGoneError:
            return await self._run_once(function, *arguments)

    async def _run_once(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        if self._limiter is None:
            self._limiter = CapacityLimiter(self._processes)
        patience = self._seconds * PATIENCE
        async with self._limiter:
            with _temporary_file() as last_words:
                try:
                    with anyio.fail_after(patience):
                        # The limiter is ours: waiting for a free process does not count as its time.
                        return await anyio.to_process.run_sync(
                            _limited,
                            function,
                            arguments,
                            self._seconds,
                            last_words.name,
                            cancellable=True,
                            limiter=CapacityLimiter(1),
                        )
                except TimeoutError:
                    raise TooLargeError("work on one document", patience, patience, "seconds") from None
                except OSError as error:
                    raise UnavailableError(f"no process can be started for the work: {error.strerror}") from error
                except BrokenWorkerProcess as error:
                    if os.pread(last_words.fileno(), 1, 0) != bytes(1):
                        raise OverspentError(
                            "work on one document", self._seconds, self._seconds, "seconds of a core"
                        ) from error
                    raise WorkerGoneError("the process that did the work ended without an answer") from error

    async def warm_up(self) -> None:
        """Start a process and import what the work needs, so that the first call is as quick as the next."""
        await self.run(time.monotonic)


def _temporary_file() -> IO[bytes]:
    """Return a file of zeros, with as much room as last words may take: a full disk would swallow them."""
    try:
        file = NamedTemporaryFile(prefix="collab-")  # noqa: SIM115 - whoever gets it closes it
        os.posix_fallocate(file.fileno(), 0, LAST_WORDS_BYTES)
        return file
    except OSError as error:
        raise UnavailableError(f"the folder for temporary files takes none: {error.strerror}") from error


def limit_cpu(seconds: float) -> None:
    """Let this process end once it has used so many more seconds of CPU; outside of a sandbox do nothing.

    The kernel ends it: native code that holds the interpreter would not hear of any other limit.
    """
    if _confined:
        signal.setitimer(signal.ITIMER_PROF, seconds)


_confined = False
"""Whether this process is a worker."""


def _limited(function: Callable[..., T], arguments: tuple[object, ...], seconds: float, last_words: str) -> T:
    """Run `function` in the worker, its memory and its share of a core bounded.

    If that is used up, the file `last_words` has where it was, written by a handler that asks nobody for the
    interpreter; a process that dies otherwise leaves it as it was.
    """
    global _confined  # noqa: PLW0603
    _confined = True
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Path(last_words).open("r+") as file:
        faulthandler.register(signal.SIGPROF, file=file, all_threads=False, chain=True)
        limit_cpu(seconds)
        try:
            return function(*arguments)
        except CollabError:
            raise
        except BaseException as error:  # noqa: BLE001
            # Only what pickle can carry may leave: pycrdt's PanicException cannot.
            raise WorkerCrashError(f"{type(error).__name__}: {error}") from None
        finally:
            limit_cpu(0)
            faulthandler.unregister(signal.SIGPROF)
