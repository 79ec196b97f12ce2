"""Files that somebody moves or deletes while a store has them open."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from collab.core.ports import DocumentId, Entry
from collab.errors import UnavailableError
from collab.store.leftovers import wal_of
from collab.store.sql import SqlStore
from collab.store.sqlite import SqliteDatabase

NOTES = DocumentId("notes")
GONE = "is gone, or another one is in its place"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "collab.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(f"sqlite:///{path}")
    await opened.append([(NOTES, Entry(b"1", "alice"))])
    await opened.load(NOTES)
    yield opened
    await opened.close()


def replace(path: Path) -> None:
    shutil.copy(path, f"{path}.copy")
    Path(f"{path}.copy").rename(path)


@pytest.mark.parametrize(
    "act",
    [
        lambda path: path.unlink(),
        lambda path: wal_of(path).unlink(),
        lambda path: path.with_name("collab.db-shm").unlink(),
        lambda path: shutil.rmtree(path.parent),
        lambda path: path.parent.rename(path.parent.with_name("old")),
        replace,
    ],
    ids=["database", "log", "index", "folder", "moved", "replaced"],
)
async def test_nothing_is_saved_in_a_file_that_is_not_where_it_was(
    path: Path, store: SqlStore, act: Callable[[Path], None]
) -> None:
    """S26: it says so in one sentence, and who reads already reads on."""
    act(path)

    with pytest.raises(UnavailableError, match=GONE):
        await store.append([(NOTES, Entry(b"2", "alice"))])
    with pytest.raises(UnavailableError, match=GONE):
        await store.check()
    assert [b"1"] == [row.data for row in await store.load(NOTES)]


async def test_what_is_moved_while_it_is_written_is_not_saved(path: Path) -> None:
    """S26: it is looked at once more after the commit."""
    database = await SqliteDatabase.open(path, processes=1, lock_timeout_seconds=0.05)

    def move(connection: Connection) -> None:
        path.parent.rename(path.parent.with_name("old"))

    with pytest.raises(UnavailableError, match=GONE):
        await database.write(move)
    await database.close()


async def test_nobody_begins_to_read_what_is_in_its_place(path: Path) -> None:
    """S26: nor is a database made there."""
    store = await SqlStore.open(f"sqlite:///{path}")
    path.parent.rename(path.parent.with_name("old"))
    path.parent.mkdir()

    with pytest.raises(UnavailableError, match=GONE):
        await store.load(NOTES)

    assert [] == list(path.parent.iterdir())
    await store.close()


async def test_a_file_that_comes_back_is_written_to(path: Path, store: SqlStore) -> None:
    """S26."""
    path.parent.rename(path.parent.with_name("old"))
    with pytest.raises(UnavailableError, match=GONE):
        await store.append([(NOTES, Entry(b"2", "alice"))])
    path.parent.with_name("old").rename(path.parent)

    await store.append([(NOTES, Entry(b"2", "alice"))])

    assert [b"1", b"2"] == [row.data for row in await store.load(NOTES)]


async def test_what_is_in_its_place_is_left_alone(path: Path) -> None:
    """S26: SQLite would delete the log of whatever database is there when the store is closed."""
    store = await SqlStore.open(f"sqlite:///{path}")
    path.parent.rename(path.parent.with_name("old"))
    path.parent.mkdir()
    wal_of(path).write_bytes(b"somebody else's")

    await store.close()

    assert b"somebody else's" == wal_of(path).read_bytes()
    assert wal_of(path.parent.with_name("old") / "collab.db").exists()
