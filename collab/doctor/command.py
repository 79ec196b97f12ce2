"""`collab doctor`, as a person at a terminal or a script meets it."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Final, TextIO

import structlog

from collab.doctor.database import Database
from collab.doctor.report import as_json, lines, surgery_lines
from collab.doctor.rounds import Doctor
from collab.doctor.sqlite import SqliteFile
from collab.sandbox import Sandbox
from collab.store.sql import needing_driver, parsed_url, path_of

SECONDS: Final = 120.0
"""For one document. The largest that we know takes two."""

DAMAGED: Final = 1
"""Exit code: something is wrong with what is stored."""

QUIET_SECONDS: Final = 10.0
"""Between two lines of progress, where there is no terminal to write over."""


def run(database: Database, names: Sequence[str], *, repair: bool, as_json_object: bool) -> int:
    """Look at a database, repair it if asked to, print what there is to say; return the exit code.

    Raises:
        StartupError: the database cannot be opened; the message says why.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    return asyncio.run(_run(database, names, repair=repair, as_json_object=as_json_object))


async def _run(database: Database, names: Sequence[str], *, repair: bool, as_json_object: bool) -> int:
    doctor = Doctor(database, names, Sandbox(seconds=SECONDS), TerminalProgress(sys.stderr))
    report = await doctor.look()
    surgery = None
    if repair and report.repairable:
        _print([] if as_json_object else lines(report))
        surgery = await doctor.treat()
        _print([] if as_json_object else surgery_lines(surgery))
        report = await doctor.look()
    _print([as_json(report, surgery)] if as_json_object else lines(report))
    if report.repairable and not repair and not as_json_object:
        _print(["collab doctor --repair rebuilds it from what can be read, and keeps what cannot"])
    return 0 if report.well else DAMAGED


def database_at(url: str, *, allow_unsafe_commits: bool) -> Database:
    """Return the database behind a URL, which nobody has opened yet.

    Raises:
        ConfigurationError: there is none behind it.
    """
    parsed = parsed_url(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteFile(path_of(parsed).resolve())
    with needing_driver():
        from collab.doctor.postgres import PostgresTables
    return PostgresTables(url, allow_unsafe_commits=allow_unsafe_commits)


class TerminalProgress:
    """One line that is written over on a terminal; elsewhere a line from time to time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._total = self._done = 0
        self._shown_at = time.monotonic()

    def begin(self, total: int) -> None:
        self._total, self._done = total, 0

    def step(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._shown_at >= (0.1 if self._live else QUIET_SECONDS) or (self._live and self._done == self._total):
            self._shown_at = now
            self._show(f"{self._done} of {self._total} documents", last=self._done == self._total)

    def say(self, what: str) -> None:
        self._show(what, last=True)

    def _show(self, line: str, *, last: bool) -> None:
        if self._live:
            print(f"\r\x1b[K{line}", end="\n" if last else "", file=self._stream, flush=True)
        else:
            print(line, file=self._stream, flush=True)


def _print(text: Iterable[str]) -> None:
    for line in text:
        print(line, flush=True)
