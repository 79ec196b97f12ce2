"""What a server did to its database, and whom it told what, in one order: read from what strace wrote.

The receipts stand in the same record as the writes and syncs, as the bytes that the server gave to its
sockets, so no clock decides what came first. Not for: what a disk makes of it (`disk`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.durability.typist import SYNC_STATUS, TOKEN, TOKEN_MARK


@dataclass(frozen=True)
class Write:
    file: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    file: str
    size: int


@dataclass(frozen=True)
class Create:
    """A file was opened that would be made if it was not there."""

    file: str


@dataclass(frozen=True)
class Unlink:
    file: str


@dataclass(frozen=True)
class Sync:
    """All of a file is on disk; of the folder, if it has no name: the names in it."""

    file: str


@dataclass(frozen=True)
class FailedSync:
    """What was written to a file and is not on disk is taken for written: no later sync is for it."""

    file: str


@dataclass(frozen=True)
class Receipt:
    """A client is told that so many of its updates are saved."""

    client: int
    count: int


Event = Write | Truncate | Create | Unlink | Sync | FailedSync | Receipt

_TOKEN: Final = re.compile(
    re.escape(bytes((SYNC_STATUS, TOKEN.size)) + TOKEN_MARK) + b".{%d}" % (TOKEN.size - len(TOKEN_MARK)), re.DOTALL
)
_LINE: Final = re.compile(r"(\d+) +(.*)")
_BEGUN: Final = " <unfinished ...>"
_RESUMED: Final = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
_CALL: Final = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
_STRING: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_HANDLE: Final = re.compile(r"^\d+<([^>]*)>")
_SENDING: Final = ("write", "writev", "sendto", "sendmsg")


def events(log: Path, database: Path) -> Iterator[Event]:
    """Yield what happened to a database and its journals, and what clients were told.

    Raises:
        ValueError: a line is not what strace writes, or a write was cut short.
    """
    begun: dict[str, str] = {}
    for line in log.read_text().splitlines():
        matched = _LINE.match(line)
        if matched is None:
            raise ValueError(f"not a line of strace: {line[:100]}")
        thread, rest = matched.groups()
        if rest.startswith(("+++", "---")):
            continue
        if rest.endswith(_BEGUN):
            # Told when it is begun, on disk when it has ended: the worse of the two for the server.
            yield from _receipts(rest)
            begun[thread] = rest.removesuffix(_BEGUN)
            continue
        if resumed := _RESUMED.match(rest):
            yield from _done(begun.pop(thread) + resumed[2], database)
            continue
        yield from _receipts(rest)
        yield from _done(rest, database)


def _receipts(text: str) -> Iterator[Receipt]:
    if text.startswith(_SENDING):
        for match in _TOKEN.finditer(b"".join(_strings(text))):
            _, client, count = TOKEN.unpack(match[0][2:])
            yield Receipt(client, count)


def _done(text: str, database: Path) -> Iterator[Event]:
    """Yield what a call did that has ended; nothing, if it failed and was no sync, or is about other files."""
    matched = _CALL.match(text)
    if matched is None:
        return
    call, arguments, result = matched[1], matched[2], int(matched[3])
    syncs = call in ("fsync", "fdatasync")
    if result < 0 and not syncs:
        return
    if call in ("openat", "unlink", "rename"):
        path = Path(_strings(arguments)[0].decode())
    elif handle := _HANDLE.match(arguments):
        path = Path(_decoded(handle[1]).decode(errors="replace"))
    else:
        return
    if syncs and result == 0 and path == database.parent:
        yield Sync("")
    if path.parent != database.parent or path.name not in _names(database):
        return
    if call == "pwrite64":
        (data,) = _strings(arguments)
        if result != len(data):
            raise ValueError(f"{result} bytes written of {len(data)}")
        yield Write(path.name, int(arguments.rsplit(",", 1)[1]), data)
    elif call == "ftruncate":
        yield Truncate(path.name, int(arguments.rsplit(",", 1)[1]))
    elif syncs:
        yield FailedSync(path.name) if result < 0 else Sync(path.name)
    elif call == "unlink":
        yield Unlink(path.name)
    elif call == "openat" and "O_CREAT" in arguments:
        yield Create(path.name)
    elif call != "openat":
        raise ValueError(f"nobody expected {call} on {path.name}")


def _names(database: Path) -> set[str]:
    return {database.name, f"{database.name}-wal", f"{database.name}-journal"}


def _strings(text: str) -> list[bytes]:
    return [_decoded(string) for string in _STRING.findall(text)]


def _decoded(string: str) -> bytes:
    return bytes.fromhex(string.replace("\\x", ""))
