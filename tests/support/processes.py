"""The project's programs as processes that begin at once: those of a process that has imported everything.

Most of a start is imports, a second of it, and the tests start hundreds of servers and commands. What is run is what
`python -m` runs. Not for: what a start is like (`tests/integration/test_serve.py` and `test_wheel.py`), nor programs
that something else starts, such as a tracer.
"""

from __future__ import annotations

import os
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Final, Protocol

from collab.limits import STACK_BYTES

IMPORTED: Final = (
    "alembic.command",
    "asyncpg",
    "collab.backup",
    "collab.cli",
    "collab.doctor.command",
    "collab.restore",
    "collab.server",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
"""What the programs need; one more or less costs time, and nothing else."""


class Running(Protocol):
    """The part of `subprocess.Popen` that tests need of a process."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int, /) -> None: ...


class Forked(Running):
    """`python -m module ...` in a session of its own, so that a signal to its group reaches its children, too."""

    def __init__(
        self,
        module: str,
        words: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        stdout: Path,
        stderr: Path,
    ) -> None:
        """Begin; what it writes is added to these files."""
        self._command = [sys.executable, "-m", module, *words]
        arguments = (module, [*words], cwd, {**environment}, stdout, stderr)
        # Daemons end with the process that began them.
        self._process = _context().Process(target=_run, args=arguments, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self._command, timeout)
        return code

    def send_signal(self, sig: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)


def run_collab(
    *words: str, cwd: Path | None = None, timeout: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `collab` with these words to its end, and return what came of it, as `subprocess.run` does.

    Raises:
        subprocess.TimeoutExpired: it ran longer than `timeout` seconds, and was killed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = Forked(
            "collab",
            words,
            cwd=cwd or Path.cwd(),
            environment=os.environ if environment is None else environment,
            stdout=out,
            stderr=err,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        return subprocess.CompletedProcess(["collab", *words], code, out.read_text(), err.read_text())


@cache
def _context() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload([*IMPORTED])
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    # The programs begin anew where it is less (`collab.limits`).
    resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, hard))
    try:
        forkserver.ensure_running()
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
    return context


def _run(
    module: str, words: Sequence[str], cwd: Path, environment: Mapping[str, str], stdout: Path, stderr: Path
) -> None:
    """Be `python -m module ...` from here on."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, file, flags in (
        (0, Path(os.devnull), os.O_RDONLY),
        (1, stdout, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        (2, stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        opened = os.open(file, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
