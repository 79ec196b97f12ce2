"""A database of ours, and the ways in which disks and bugs damage one.

Not for: telling damage (`collab.doctor`). Everything here goes past the code under test, by SQL or by the bytes
of the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from collab.core.ports import DocumentId, Entry
from collab.store.compaction import compacted as compaction_of
from collab.store.sql import SqlStore

PANICS: Final = bytes.fromhex("01010b112801016101000000")
"""11 bytes on which pycrdt panics (hazards P4)."""

_INTERIOR: Final = (2, 5)


async def fill(
    path: Path, documents: Mapping[str, Sequence[bytes]], compacted: Mapping[str, int] | None = None
) -> None:
    """Make a file of these updates, a row each; compact a document after so many of its rows."""
    await fill_at(f"sqlite:///{path}", documents, compacted)


async def fill_at(
    url: str, documents: Mapping[str, Sequence[bytes]], compacted: Mapping[str, int] | None = None
) -> None:
    """Do so in any database."""
    store = await SqlStore.open(url)
    for name, updates in documents.items():
        at = (compacted or {}).get(name, 0)
        if at:
            await store.append([(DocumentId(name), Entry(update, "ann")) for update in updates[:at]])
            compaction = compaction_of(DocumentId(name), await store.load(DocumentId(name)), history=True)
            assert compaction is not None
            assert await store.compact(compaction)
        await store.append([(DocumentId(name), Entry(update, "ann")) for update in updates[at:]])
    await store.close()


def change(path: Path, sql: str, *values: object) -> None:
    """Change a database whose server is stopped, as no server would."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql, values)


def ask(path: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Return what a database answers, without leaving a trace."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, values).fetchall()


def spoil(path: Path, tree: str, *, last: bool = False) -> None:
    """Overwrite one page in the middle of a table's or an index's tree, or its last: a leaf, unless it is one page."""
    content = bytearray(path.read_bytes())
    start, end = _leaf(path, tree, content, last=last)
    content[start:end] = b"\xff" * (end - start)
    path.write_bytes(content)


def change_but(path: Path, tree: str, sql: str, *values: object) -> None:
    """Change a database, and let a table or an index, whose last page it is on, be what it was before."""
    page = page_of(path, tree)
    change(path, sql, *values)
    put_back(path, page)


def page_of(path: Path, tree: str) -> tuple[int, bytes]:
    """Return where the last page of a table's tree begins, and what is on it."""
    content = path.read_bytes()
    start, end = _leaf(path, tree, content, last=True)
    return start, content[start:end]


def put_back(path: Path, page: tuple[int, bytes]) -> None:
    """Let a page be what it was before, as if the disk had lost what was written to it since."""
    start, before = page
    content = bytearray(path.read_bytes())
    content[start : start + len(before)] = before
    path.write_bytes(content)


def raise_id(path: Path, table: str, id: int, wrong: int) -> None:
    """Let a row of a table have another id where it stands; both take two bytes."""
    content = bytearray(path.read_bytes())
    ((root, size),) = ask(path, "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = ?", table)
    pages = [root]
    while pages:
        start = (pages.pop() - 1) * size
        cells = int.from_bytes(content[start + 3 : start + 5])
        interior = content[start] == _INTERIOR[1]
        if interior:
            pages.append(int.from_bytes(content[start + 8 : start + 12]))
        for number in range(cells):
            pointer = start + (12 if interior else 8) + 2 * number
            cell = start + int.from_bytes(content[pointer : pointer + 2])
            if interior:
                pages.append(int.from_bytes(content[cell : cell + 4]))
                continue
            at = cell
            while content[at] > 0x7F:  # the length of the row
                at += 1
            if content[at + 1 : at + 3] == _two_bytes(id):
                content[at + 1 : at + 3] = _two_bytes(wrong)
    path.write_bytes(content)


def _two_bytes(number: int) -> bytes:
    return bytes((number >> 7 | 0x80, number & 0x7F))


def halve_index(path: Path, index: str) -> None:
    """Let a page in the middle of an index say that it has half of its entries."""
    content = bytearray(path.read_bytes())
    start, _ = _leaf(path, index, content, last=False)
    cells = int.from_bytes(content[start + 3 : start + 5])
    content[start + 3 : start + 5] = (cells // 2).to_bytes(2)
    path.write_bytes(content)


def repeat_in_index(path: Path, index: str) -> None:
    """Let every third entry of a page in the middle of an index be of the row of the entry before."""
    content = bytearray(path.read_bytes())
    start, _ = _leaf(path, index, content, last=False)
    for number in range(2, int.from_bytes(content[start + 3 : start + 5]), 3):
        pointer = start + 8 + 2 * number
        cell = start + int.from_bytes(content[pointer : pointer + 2])
        # An entry is shorter than 128 bytes, and the row's id stands at its end.
        at = cell + content[cell]
        content[at] = max(0, content[at] - 1)
    path.write_bytes(content)


def _leaf(path: Path, tree: str, content: bytes | bytearray, *, last: bool) -> tuple[int, int]:
    """Return where a leaf in the middle of a tree begins and ends, or the last one."""
    ((page, size),) = ask(path, "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = ?", tree)
    while content[(page - 1) * size] in _INTERIOR:
        page = _child(bytes(content[(page - 1) * size : page * size]), last=last)
    return (page - 1) * size, page * size


def spoil_name(path: Path, name: bytes, wrong: bytes, *, in_index: bool) -> None:
    """Overwrite the first byte of a document's name in the table, or in the index of names; each is one page."""
    tree = "sqlite_autoindex_documents_1" if in_index else "documents"
    ((page, size),) = ask(path, "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = ?", tree)
    content = bytearray(path.read_bytes())
    assert content[(page - 1) * size] not in _INTERIOR
    at = content.index(name[1:], (page - 1) * size, page * size)
    content[at - 1 : at] = wrong
    path.write_bytes(content)


def _child(page: bytes, *, last: bool) -> int:
    """Return a page below an interior page: in its middle, or the last (https://sqlite.org/fileformat2.html)."""
    if last:
        return int.from_bytes(page[8:12])
    cells = int.from_bytes(page[3:5])
    pointer = 12 + cells // 2 * 2
    cell = int.from_bytes(page[pointer : pointer + 2])
    return int.from_bytes(page[cell : cell + 4])
