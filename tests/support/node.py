"""Real Yjs for tests: scripts of tests/node, and a long-running one that judges and acts.

A missing Node fails a test and never skips it: what it proves would go unproved.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final

import pytest

from tests.support.view import View

SCRIPTS: Final = Path(__file__).resolve().parents[1] / "node"


class NodeError(AssertionError):
    """A script of tests/node failed; the message is what it wrote."""


@dataclass(frozen=True)
class Node:
    """Runs the scripts of tests/node."""

    program: str

    @classmethod
    def find(cls) -> Node:
        """Return the Node of this machine; the test fails if there is none, or if its packages are missing."""
        program = shutil.which("node", path=f"{SCRIPTS.parents[1] / '.node' / 'bin'}{os.pathsep}{os.environ['PATH']}")
        if program is None:
            pytest.fail("there is no node on the PATH, and real Yjs runs on nothing else: see `make install`")
        if not (SCRIPTS.parents[1] / "node_modules" / "yjs").is_dir():
            pytest.fail("node_modules has no yjs: run `npm ci` or `make install`")
        return cls(program)

    def run(self, script: str, *arguments: str, timeout_seconds: float = 100) -> Any:
        """Run a script and return what it printed, one JSON value."""
        command = [self.program, str(SCRIPTS / script), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise NodeError(f"{script} still ran after {timeout_seconds:g} s\n{error.stderr!r}") from error
        if done.returncode:
            raise NodeError(f"{script} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return json.loads(done.stdout)

    def start(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a script that is talked to line by line; its errors go where the test's go."""
        command = [self.program, str(SCRIPTS / script), *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")


@dataclass(frozen=True)
class Judgement:
    """What real Yjs makes of some updates."""

    view: View
    state_vector: bytes
    waiting: bool
    """Whether it still misses something."""


class Oracle:
    """Real Yjs in a process of its own. A context manager."""

    def __init__(self, node: Node) -> None:
        self._process = node.start("oracle.mjs")
        self._opened = 0

    def __enter__(self) -> Oracle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def judge(self, updates: Iterable[bytes]) -> Judgement:
        """Return what a fresh Yjs document holds that takes these updates, merged."""
        result = self.ask("judge", updates=[_text(update) for update in updates])
        return Judgement(result["view"], b64decode(result["stateVector"]), result["waiting"])

    def client(self, client_id: int) -> YjsClient:
        """Return a Yjs document to edit."""
        self._opened += 1
        self.ask("open", name=self._opened, client=client_id)
        return YjsClient(self, self._opened)

    def ask(self, command: str, **request: object) -> Any:
        """Run one command of oracle.mjs."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"command": command, **request}) + "\n")
        self._process.stdin.flush()
        reply: Mapping[str, Any] = json.loads(self._process.stdout.readline() or '{"error": "node is gone"}')
        if "error" in reply:
            raise NodeError(f"{command}: {reply['error']}")
        return reply.get("result")


@dataclass(frozen=True)
class YjsClient:
    """A `tests.support.yjs.Client` that is real Yjs."""

    oracle: Oracle
    name: int

    def edit(self, random: Random) -> list[bytes]:
        return _updates(self.oracle.ask("edit", name=self.name, seed=random.getrandbits(31)))

    def insert(self, index: int, text: str) -> list[bytes]:
        """Insert into the root `text`; positions count UTF-16 code units."""
        return _updates(self.oracle.ask("insert", name=self.name, index=index, text=text))

    def delete(self, index: int, length: int) -> list[bytes]:
        """Delete from the root `text`."""
        return _updates(self.oracle.ask("delete", name=self.name, index=index, length=length))

    def receive(self, update: bytes) -> list[bytes]:
        return _updates(self.oracle.ask("receive", name=self.name, update=_text(update)))

    def state_vector(self) -> bytes:
        return b64decode(self.oracle.ask("stateVector", name=self.name))

    def answer(self, state_vector: bytes) -> bytes:
        return b64decode(self.oracle.ask("answer", name=self.name, stateVector=_text(state_vector)))

    def view(self) -> View:
        view: View = self.oracle.ask("view", name=self.name)
        return view

    def close(self) -> None:
        self.oracle.ask("close", name=self.name)


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _updates(encoded: Iterable[str]) -> list[bytes]:
    return [b64decode(update) for update in encoded]
