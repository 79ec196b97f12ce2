"""What a server's SQLite database holds, read from outside while the server runs, or after its death.

Not for: the server's own way of reading (`collab.store`); this one uses none of its code but the
merge of rows.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from collab.core.merging import merge
from collab.core.replica import Replica

SNAPSHOT: Final = 1
DEADLINE_SECONDS: Final = 30.0


def stored(database: Path, document: str) -> bytes:
    """Return the merge of all rows of a document, as one update."""
    query = "SELECT log.data FROM log JOIN documents ON documents.id = log.document_id WHERE documents.name = ?"
    # Read-only, so that this connection neither checkpoints nor leaves a file behind.
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return merge(data for (data,) in connection.execute(query, (document,)))


async def wait_until_stored(database: Path, document: str, update: bytes) -> None:
    """Wait until the rows of a document hold all that `update` does.

    Raises:
        TimeoutError: they did not within DEADLINE_SECONDS.
    """
    expected = Replica.load([], [update]).digest()
    async with asyncio.timeout(DEADLINE_SECONDS):
        # Another process writes; nothing would tell this one.
        while Replica.load([], [stored(database, document)]).digest() != expected:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def wait_until_listed(database: Path, documents: Iterable[str]) -> None:
    """Wait until there is a row for each of these documents.

    Raises:
        TimeoutError: there was not within DEADLINE_SECONDS.
    """
    missing = set(documents)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while missing:
                missing -= {name for (name,) in connection.execute("SELECT name FROM documents")}
                await asyncio.sleep(0.05)
