"""A real server process, as an operator starts it.

Not for: a server with other settings than the command line has, or several workers.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Final

import httpx

from tests.support.processes import Forked, Running

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0


class Server:
    """One server: its process, its folder, and where it listens. It comes back at the same port."""

    forked: ClassVar = False
    """Whether servers begin without importing everything anew, as the test suite has it."""

    def __init__(self, folder: Path, *options: str, **settings: object) -> None:
        """Prepare a server that keeps its database in `folder`.

        Args:
            folder: where its data goes; it need not be there.
            options: of the command line, behind those that every server here gets.
            settings: what the command line doesn't offer, by name.
        """
        self.folder = folder
        self.port = free_port()
        self.options = options
        self.settings = {f"COLLAB_{name.upper()}": str(value) for name, value in settings.items()}
        self.wrapper: Sequence[str] = ()
        """A command that runs the server's in its own place, such as a tracer."""
        self.module = "collab"
        """What is run with `python -m`."""
        self._log = folder.with_name(f"{folder.name}-{self.port}.log")
        self._process: Running | None = None

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *options: str, **settings: object) -> Iterator[Server]:
        """A server that has started, and is gone at the end whatever happens."""
        server = cls(folder, *options, **settings)
        try:
            server.start()
            yield server
        finally:
            server.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """Where y-websocket finds documents: their names follow behind a slash."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def database(self) -> Path:
        return self.folder / "collab.db"

    @property
    def log(self) -> str:
        """Everything that the processes of this server wrote."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it answers."""
        words = ["serve", "--host", "127.0.0.1", "--port", str(self.port)]
        words += ["--data", str(self.folder), "--anonymous", "edit", *self.options]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COLLAB_")}
        environment |= self.settings
        self._process = self._begin(words, environment)
        self._wait_until_it_answers(self._process)

    def _begin(self, words: Sequence[str], environment: Mapping[str, str]) -> Running:
        if Server.forked and not self.wrapper:
            return Forked(
                self.module,
                words,
                cwd=self.folder.parent,
                environment=environment,
                stdout=self._log,
                stderr=self._log,
            )
        with self._log.open("ab") as log:
            # A session of its own, so that `kill` reaches its children, too.
            return subprocess.Popen(
                [*self.wrapper, sys.executable, "-m", self.module, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.folder.parent,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask it to end, and wait until it has.

        Raises:
            AssertionError: it did not end in time, or with an error.
        """
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server still ran {STOP_SECONDS:g} s after SIGTERM\n{self.log}") from None
        self._process = None
        assert code in (0, -signal.SIGTERM), f"the server ended with {code}\n{self.log}"

    def wait(self, seconds: float) -> int | None:
        """Return how it ended, None if it still runs after so many seconds."""
        assert self._process is not None, "the server was not started"
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def kill(self) -> None:
        """End it and its children at once, as a crash would."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _wait_until_it_answers(self, process: Running) -> None:
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(base_url=self.url, trust_env=False, verify=False) as client:
            while time.monotonic() < deadline:
                assert process.poll() is None, f"the server ended with {process.returncode} at its start\n{self.log}"
                try:
                    if client.get("/healthz").status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    time.sleep(0.02)
        raise AssertionError(f"the server did not answer within {START_SECONDS:g} s\n{self.log}")


def free_port() -> int:
    """Return a port that nobody listens on.

    Below the ports that systems hand out by themselves: a client that tries such a port again and
    again while the server is down may be connected to itself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
