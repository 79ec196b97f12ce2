"""The log's way into the database."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from collab.core.ports import DocumentId, Entry
from collab.store.checkpoints import COMMITS, LOG_BYTES
from collab.store.leftovers import wal_of
from collab.store.sql import SqlStore

NOTES = DocumentId("notes")
PAGE_BYTES = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "collab.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(f"sqlite:///{path}")
    yield opened
    await opened.close()


async def write(store: SqlStore, commits: int, bytes_each: int) -> None:
    for _ in range(commits):
        await store.append([(NOTES, Entry(bytes(bytes_each), "alice"))])


@pytest.mark.parametrize(("commits", "bytes_each"), [(3 * COMMITS, 1), (30, 1 << 20)])
async def test_the_log_does_not_grow_without_an_end(path: Path, store: SqlStore, commits: int, bytes_each: int) -> None:
    """S15: whether many write little, or few much."""
    await write(store, commits, bytes_each)

    assert size_of(path) > commits * bytes_each // 2
    assert size_of(wal_of(path)) <= LOG_BYTES + bytes_each + 16 * PAGE_BYTES


async def test_a_long_log_of_a_process_before_is_emptied(path: Path, tmp_path: Path) -> None:
    """S15: with the first commit."""
    await (await SqlStore.open(f"sqlite:///{path}")).close()
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA wal_autocheckpoint=0")
        other.executescript("CREATE TABLE pictures (picture BLOB); INSERT INTO pictures VALUES (zeroblob(8000000))")
        copy_file(path, copy)
        copy_file(wal_of(path), wal_of(copy))
    before = size_of(copy)

    store = await SqlStore.open(f"sqlite:///{copy}")
    await write(store, 1, 1)

    assert size_of(copy) >= before + 8_000_000
    assert size_of(wal_of(copy)) > LOG_BYTES
    await write(store, 1, 1)
    assert LOG_BYTES == size_of(wal_of(copy))
    await store.close()


def copy_file(file: Path, to: Path) -> None:
    to.write_bytes(file.read_bytes())


def size_of(file: Path) -> int:
    return file.stat().st_size
