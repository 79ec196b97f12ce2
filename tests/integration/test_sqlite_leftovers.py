"""What a process before has left of a database in the kernel's cache.

Not for: that nothing is lost of it, which `tests/durability` proves.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import httpx
import pytest

from collab.backup import back_up
from collab.restore import restore
from collab.store import leftovers
from collab.store.sql import SqlStore
from tests.durability import tracing
from tests.support.processes import run_collab
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


def test_a_log_without_its_database_is_not_thrown_away(tmp_path: Path) -> None:
    """S26: it has what was saved last, and SQLite would delete it for a new database."""
    path, elsewhere = tmp_path / "data" / "collab.db", tmp_path / "collab.db"
    with Server.running(path.parent) as server:
        url = f"{server.url}/api/documents/notes"
        assert 201 == httpx.put(url, content="hello", headers={"content-type": "text/plain"}).status_code
        server.kill()
        path.rename(elsewhere)

        with pytest.raises(AssertionError, match="the server ended with 4 at its start"):
            server.start()
        assert "put the database back" in server.log
        elsewhere.rename(path)
        server.start()

        assert "hello" == httpx.get(f"{url}/export?format=text").text.strip()


def test_a_log_beside_an_empty_database_is_not_thrown_away(tmp_path: Path) -> None:
    """S26, D1, B2, B8: whoever opens such a file, if only to read it, has SQLite delete the log."""
    path = tmp_path / "data" / "collab.db"
    with Server.running(path.parent) as server:
        url = f"{server.url}/api/documents/notes"
        assert 201 == httpx.put(url, content="hello", headers={"content-type": "text/plain"}).status_code
        back_up(path, tmp_path / "copy", force=False, progress=lambda *_: None)
        server.kill()
        before, kept = leftovers.wal_of(path).read_bytes(), path.read_bytes()
        path.write_bytes(b"")

        with pytest.raises(AssertionError, match="the server ended with 4 at its start"):
            server.start()
        for words in (["doctor"], ["doctor", "--repair"], ["backup", str(tmp_path / "other")]):
            done = run_collab(*words, "--data", str(path.parent), timeout=60)
            assert (4, True) == (done.returncode, "is empty, but its log is there" in done.stderr), done.stderr
        assert before == leftovers.wal_of(path).read_bytes()

        path.write_bytes(kept)
        server.start()
        assert "hello" == httpx.get(f"{url}/export?format=text").text.strip()
        server.kill()

    before = leftovers.wal_of(path).read_bytes()
    path.write_bytes(b"")
    aside, log, *_ = restore(tmp_path / "copy", path, force=True, progress=lambda *_: None).kept
    assert leftovers.wal_of(aside) == log
    assert before == log.read_bytes()


def test_a_restore_tells_where_a_log_is_that_had_no_database(tmp_path: Path) -> None:
    """B8: it may hold what was saved last."""
    path = tmp_path / "data" / "collab.db"
    with Server.running(path.parent) as server:
        httpx.put(f"{server.url}/api/documents/notes", content="hello", headers={"content-type": "text/plain"})
        back_up(path, tmp_path / "copy", force=False, progress=lambda *_: None)
        server.kill()
    path.unlink()
    before = leftovers.wal_of(path).read_bytes()

    done = run_collab("restore", str(tmp_path / "copy"), "--data", str(path.parent), timeout=60)

    assert 0 == done.returncode, done.stderr
    kept = next(line for line in done.stdout.splitlines() if line.startswith("what was there is kept: "))
    assert before == Path(kept.removeprefix("what was there is kept: ").partition(", ")[0]).read_bytes()


async def test_an_empty_log_without_its_database_is_none(tmp_path: Path) -> None:
    """S26."""
    path = tmp_path / "collab.db"
    leftovers.wal_of(path).touch()

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
