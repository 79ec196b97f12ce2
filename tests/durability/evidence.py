"""What readers find in documents: somebody who joins late, and somebody who reads the database of a dead server."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from pycrdt import Doc, Text
from websockets.asyncio.client import connect

from collab.core.merging import merge
from collab.core.wire import EMPTY_STATE_VECTOR, Kind, Reader, decode_state_vector, var_bytes
from tests.durability.ledger import Contents
from tests.durability.typist import ROOT, SYNC


def contents_of(update: bytes) -> Contents:
    """Return what a complete state says."""
    doc: Doc[Any] = Doc(client_id=1)
    text = doc.get(ROOT, type=Text)
    doc.apply_update(update)
    return Contents(str(text), decode_state_vector(doc.get_state()))


async def joined_late(ws_url: str, document: str) -> Contents:
    """Return what somebody gets who has nothing."""
    async with connect(f"{ws_url}/{quote(document)}", max_size=None, ping_interval=None, compression=None) as socket:
        await socket.send(bytes((SYNC, Kind.SYNC_STEP_1)) + var_bytes(EMPTY_STATE_VECTOR))
        async for message in socket:
            assert isinstance(message, bytes)
            reader = Reader(message)
            if reader.var_uint() == SYNC and reader.var_uint() == Kind.SYNC_STEP_2:
                return contents_of(reader.var_bytes())
    raise AssertionError(f"closed with {socket.close_code}: {socket.close_reason}")


def stored(database: Path, documents: Iterable[str]) -> dict[str, bytes]:
    """Return the merged rows of each document of a server that is dead, without touching its files.

    With none of the server's code but the merge of rows.
    """
    with TemporaryDirectory() as folder:
        # Of the copy even a recovery may write. The index of the WAL is left behind: it is rebuilt.
        for name in (database.name, f"{database.name}-wal", f"{database.name}-journal"):
            if (original := database.with_name(name)).exists():
                shutil.copyfile(original, Path(folder) / name)
        with closing(sqlite3.connect(Path(folder) / database.name)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
            assert verdict == "ok", verdict
            query = "SELECT data FROM log WHERE document_id = (SELECT id FROM documents WHERE name = ?)"
            return {name: merge(data for (data,) in connection.execute(query, (name,))) for name in documents}
