"""What a process before has left of a database in the kernel's cache.

Not for: that nothing is lost of it, which `tests/durability` proves.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from collab.store import leftovers
from collab.store.sql import SqlStore
from tests.durability import tracing
from tests.support.server import Server


def test_a_log_of_any_length_is_written_again_piece_by_piece(tmp_path: Path) -> None:
    """S14: it stays as it is, and is never in memory as a whole."""
    database, log = tmp_path / "collab.db", tmp_path / "collab.db-wal"
    database.touch()
    with log.open("wb") as file:
        for number in range(1000):
            file.write(number.to_bytes(2, "big") * 16_384)
        file.write(b"an end")
    before = log.read_bytes()

    tracemalloc.start()
    try:
        leftovers.settle(database)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert before == log.read_bytes()
    assert most < 4 * leftovers.PIECE_BYTES


async def test_a_log_whose_database_is_gone_is_of_no_use(tmp_path: Path) -> None:
    """S14: SQLite deletes it."""
    path = tmp_path / "collab.db"
    leftovers.wal_of(path).write_bytes(b"of another life")

    store = await SqlStore.open(f"sqlite:///{path}")

    await store.check()
    await store.close()


@pytest.mark.parametrize("file", ["collab.db", "collab.db-wal"])
def test_a_disk_that_does_not_keep_it_is_no_disk_to_start_on(tmp_path: Path, file: str) -> None:
    """S14, S21: one sentence; nobody has been told that anything is saved."""
    with Server.running(tmp_path / "data") as server:
        server.kill()
        server.wrapper = tracing.fail_sync(server.folder / file, 1)

        with pytest.raises(AssertionError, match="the server ended with 4 at its start"):
            server.start()

    last = server.log.splitlines()[-1]
    assert (
        f"collab: the disk did not keep what was written to the database {server.database}: Input/output error" == last
    )
