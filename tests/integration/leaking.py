"""`python -m tests.integration.leaking serve ...`: a watched server that forgets to forget.

It is there to be caught: a check that can't fail proves nothing.
"""

from __future__ import annotations

import ctypes
from typing import Final

from collab.core.connection import Connection
from collab.core.room import Room
from collab.hub import Hub
from tests.integration.watched import watch

# Outside of Python, as pycrdt and SQLite have their memory: glibc's smallest pieces are 32 bytes.
PIECE_BYTES: Final = 300
_allocate = ctypes.CDLL(None).malloc
_allocate.restype = ctypes.c_void_p

_left = Hub.left
_forget = Hub._forget
_kept: list[object] = []


def left(self: Hub, room: Room, connection: Connection) -> None:
    _left(self, room, connection)
    _kept.append(connection)


def forget(self: Hub, room: Room) -> None:
    _forget(self, room)
    # As a dictionary by document would keep it.
    self._lineages[room.document] = room.document + "!"
    ctypes.memset(_allocate(PIECE_BYTES), 1, PIECE_BYTES)


if __name__ == "__main__":
    Hub.left = left  # type: ignore[method-assign]
    Hub._forget = forget  # type: ignore[method-assign]
    watch()
