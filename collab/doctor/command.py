"""`collab doctor`, as a person at a terminal or a script meets it."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TextIO

import structlog
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from collab.doctor.database import Database
from collab.doctor.report import as_json, lines, surgery_lines
from collab.doctor.rounds import Doctor
from collab.doctor.sqlite import SqliteFile
from collab.errors import ConfigurationError
from collab.sandbox import Sandbox

SECONDS: Final = 120.0
"""For one document. The largest that we know takes two."""

DAMAGED: Final = 1
"""Exit code: something is wrong with what is stored."""

QUIET_SECONDS: Final = 10.0
"""Between two lines of progress, where there is no terminal to write over."""


def run(database_url: str, names: Sequence[str], *, repair: bool, as_json_object: bool) -> int:
    """Look at a database, repair it if asked to, print what there is to say; return the exit code.

    Raises:
        StartupError: the database cannot be opened; the message says why.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    return asyncio.run(_run(database_at(database_url), names, repair=repair, as_json_object=as_json_object))


async def _run(database: Database, names: Sequence[str], *, repair: bool, as_json_object: bool) -> int:
    doctor = Doctor(database, names, Sandbox(seconds=SECONDS), TerminalProgress(sys.stderr))
    report = await doctor.look()
    surgery = None
    if repair and not report.well:
        _print([] if as_json_object else lines(report))
        surgery = await doctor.treat()
        _print([] if as_json_object else surgery_lines(surgery))
        report = await doctor.look()
    _print([as_json(report, surgery)] if as_json_object else lines(report))
    if not report.well and not repair and not as_json_object:
        _print(["collab doctor --repair rebuilds it from what can be read, and keeps what cannot"])
    return 0 if report.well else DAMAGED


def database_at(database_url: str) -> Database:
    """Return the database behind a URL, which nobody has opened yet.

    Raises:
        ConfigurationError: there is none behind it.
    """
    try:
        url = make_url(database_url)
    except ArgumentError as error:
        # Not quoted: it may hold a password.
        raise ConfigurationError("the database's URL cannot be read; one looks like sqlite:///collab.db") from error
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        raise ConfigurationError(f"collab doctor looks at SQLite files, not at {url.drivername!r}")
    return SqliteFile(Path(str(url.database)).resolve())


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
