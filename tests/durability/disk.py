"""A disk that keeps what it said it has kept, and of everything else any part or nothing.

It takes the calls that a program made, and gives what may be found after a power cut at that moment.
It is as bad as POSIX allows: what was written and not synced may be there in pieces of 512 bytes, in any
order; a file whose folder was not synced may be missing, and one that was deleted may be back. What a sync
failed to keep will never be there unless it is written again, though whoever reads the file finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.durability.recording import Create, Event, FailedSync, Sync, Truncate, Unlink, Write

SECTOR_BYTES: Final = 512
"""What no disk tears."""


@dataclass
class _File:
    kept: bytearray = field(default_factory=bytearray)
    """As of the last sync."""
    since: list[Write | Truncate] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.since:
            _apply(change, self.kept)
        self.since.clear()


class Disk:
    """One folder of such a disk."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._names: dict[str, _File] = {}
        """As of the last sync of the folder."""
        self._renaming: list[tuple[str, _File | None]] = []
        """What names stand for since then, in order; None for nothing."""

    def take(self, event: Event) -> None:
        """Let something happen."""
        match event:
            case Write(file) | Truncate(file):
                self._files[file].since.append(event)
            case Create(file):
                if file not in self._files:
                    self._files[file] = _File()
                    self._renaming.append((file, self._files[file]))
            case Unlink(file):
                del self._files[file]
                self._renaming.append((file, None))
            case Sync(""):
                self._names = dict(self._files)
                self._renaming.clear()
            case Sync(file):
                self._files[file].sync()
            case FailedSync(file):
                self._files[file].since.clear()

    def after_power_cut(self, random: Random) -> dict[str, bytes]:
        """Return what may be in the folder now."""
        keep = random.choice(_KEEPERS)
        renamed = self._renaming[: random.randint(0, len(self._renaming))]
        names: dict[str, _File | None] = {**self._names, **dict(renamed)}
        return {name: _found(file, keep, random) for name, file in names.items() if file is not None}


def _found(file: _File, keep: Keeper, random: Random) -> bytes:
    content = bytearray(file.kept)
    for change in keep(file.since, random):
        _apply(change, content)
    return bytes(content)


def _apply(change: Write | Truncate, content: bytearray) -> None:
    if isinstance(change, Truncate):
        del content[change.size :]
        content.extend(bytes(change.size - len(content)))
        return
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + len(change.data)] = change.data


def _nothing(changes: list[Write | Truncate], random: Random) -> list[Write | Truncate]:
    return []


def _everything(changes: list[Write | Truncate], random: Random) -> list[Write | Truncate]:
    return changes


def _the_first(changes: list[Write | Truncate], random: Random) -> list[Write | Truncate]:
    """Keep some of the first, the last of them torn."""
    pieces = _pieces(changes)
    return pieces[: random.randint(0, len(pieces))]


def _any(changes: list[Write | Truncate], random: Random) -> list[Write | Truncate]:
    """Keep any pieces, many or few."""
    share = random.random()
    return [piece for piece in _pieces(changes) if random.random() < share]


def _whole(changes: list[Write | Truncate], random: Random) -> list[Write | Truncate]:
    """Keep any writes, none of them torn."""
    return [change for change in changes if random.random() < 0.5]


Keeper = Callable[[list[Write | Truncate], Random], list[Write | Truncate]]
_KEEPERS: Final[tuple[Keeper, ...]] = (_nothing, _everything, _the_first, _any, _whole)


def _pieces(changes: list[Write | Truncate]) -> list[Write | Truncate]:
    pieces: list[Write | Truncate] = []
    for change in changes:
        if isinstance(change, Truncate):
            pieces.append(change)
            continue
        at = 0
        while at < len(change.data):
            # Sectors lie at multiples of their size in the file, wherever a write begins.
            end = at + SECTOR_BYTES - (change.offset + at) % SECTOR_BYTES
            pieces.append(Write(change.file, change.offset + at, change.data[at:end]))
            at = end
    return pieces
