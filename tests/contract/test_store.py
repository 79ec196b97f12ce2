"""What every store promises, run on each of them.

Not for what only a file or a server can do: tests/integration/test_sqlite.py, test_postgres.py.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from collab.core.ports import DocumentId, Entry
from collab.errors import UnavailableError
from collab.store.base import Compaction, LogRow, RowKind
from collab.store.memory import MemoryStore
from collab.store.sql import SqlStore
from tests.support.postgres import PostgresServer

AnyStore = MemoryStore | SqlStore

NOTES = DocumentId("notes")
PLANS = DocumentId("plans")


class Clock:
    """A wall clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[AnyStore]:
    opened: AnyStore
    if request.param == "memory":
        opened = MemoryStore(clock=clock)
    elif request.param == "sqlite":
        opened = await SqlStore.open(f"sqlite:///{tmp_path}/collab.db", clock=clock)
    else:
        opened = await SqlStore.open(await url_of_database(request), clock=clock)
    yield opened
    await opened.close()


async def url_of_database(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database on PostgreSQL, which is started by the first who asks."""
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(await server.clean_database())


async def write(store: AnyStore, *data: bytes, document: DocumentId = NOTES, author: str = "alice") -> list[LogRow]:
    """Append one row after the other and return the whole log."""
    for each in data:
        await store.append([(document, Entry(each, author))])
    return list(await store.load(document))


def compaction(rows: list[LogRow], snapshot: bytes = b"all", document: DocumentId = NOTES) -> Compaction:
    return Compaction(
        document=document,
        snapshot=snapshot,
        survey=b"\x03\x00",
        created_at=rows[-1].created_at if rows else 0.0,
        replaced=tuple(row.id for row in rows),
        segment=None,
        keyframe=False,
        first_at=rows[0].created_at if rows else 0.0,
    )


async def add_segment(store: AnyStore, first_at: float, last_at: float, *, keyframe: bool, data: bytes = b"s") -> None:
    """Compact one new row of NOTES, leaving a segment."""
    row = (await write(store, b"update"))[-1:]
    done = await store.compact(
        replace(compaction(row), segment=data, keyframe=keyframe, first_at=first_at, created_at=last_at)
    )
    assert done


async def data_of(store: AnyStore, document: DocumentId = NOTES) -> list[bytes]:
    return [row.data for row in await store.load(document)]


async def test_an_unknown_document_is_empty(store: AnyStore) -> None:
    """S1: a document that was never written has no rows, and reading doesn't create it."""
    assert [] == list(await store.load(NOTES))
    assert [] == list(await store.segments(NOTES))
    assert {} == await store.clients(NOTES)
    assert await store.describe(NOTES) is None


async def test_rows_come_back_in_the_order_of_their_ids(store: AnyStore) -> None:
    """S1: every row, by ascending id."""
    rows = await write(store, b"1", b"2", b"3")

    assert [b"1", b"2", b"3"] == [row.data for row in rows]
    assert sorted(row.id for row in rows) == [row.id for row in rows]


async def test_a_row_comes_back_as_it_was_given(store: AnyStore, clock: Clock) -> None:
    """S3: bytes, author, kind and time."""
    (row,) = await write(store, b"\x00\xff", author="Ælfrēd 🦉")

    assert LogRow(row.id, RowKind.UPDATE, b"\x00\xff", "Ælfrēd 🦉", clock.now, survey=None) == row


@pytest.mark.parametrize("data", [b"", bytes(range(256)) * 20_000], ids=["nothing", "5 MB"])
async def test_a_row_may_be_empty_or_large(store: AnyStore, data: bytes) -> None:
    """S3: none or many megabytes."""
    (row,) = await write(store, data)

    assert data == row.data


async def test_one_batch_holds_many_documents(store: AnyStore) -> None:
    """S2: each entry goes to its document, in the batch's order."""
    names = [DocumentId(f"document {number}") for number in range(1_000)]

    await store.append([(name, Entry(name.encode(), "alice")) for name in names + names[:1]])

    assert [names[0].encode()] * 2 == await data_of(store, names[0])
    assert [names[999].encode()] == await data_of(store, names[999])


async def test_an_empty_batch_is_nothing(store: AnyStore) -> None:
    """S2: no entries, no documents."""
    await store.append([])

    assert await store.describe(NOTES) is None


@pytest.mark.parametrize(
    ("most", "expected"), [(0, [b"all"]), (2, [b"2", b"3", b"all"]), (9, [b"2", b"3", b"4", b"all"])]
)
async def test_loading_some_of_the_updates(store: AnyStore, most: int, expected: list[bytes]) -> None:
    """S1: the oldest, and every snapshot, wherever it stands."""
    first, *_ = await write(store, b"1", b"2", b"3", b"4")
    await write(store, b"other", document=PLANS)
    await store.compact(compaction([first]))

    assert [b"2", b"3", b"all"] == [row.data for row in await store.load(NOTES, 2)]
    assert [b"2", b"3", b"4", b"all"] == [row.data for row in await store.load(NOTES, 3)]
    assert [b"all"] == [row.data for row in await store.load(NOTES, 0)]


async def test_compaction_replaces_what_it_read(store: AnyStore, clock: Clock) -> None:
    """S4: one snapshot stands for the rows that it names."""
    rows = await write(store, b"1", b"2")

    assert await store.compact(replace(compaction(rows), created_at=17.5))

    (row,) = await store.load(NOTES)
    assert LogRow(row.id, RowKind.SNAPSHOT, b"all", "", 17.5, survey=b"\x03\x00") == row


async def test_compaction_leaves_rows_in_between(store: AnyStore) -> None:
    """S4: exactly the rows that it names, not all up to the last."""
    first, _, third = await write(store, b"1", b"2", b"3")

    assert await store.compact(compaction([first, third]))

    assert [b"2", b"all"] == await data_of(store)


async def test_compaction_leaves_other_documents_alone(store: AnyStore) -> None:
    """S4: every other row stays."""
    await write(store, b"other", document=PLANS)

    await store.compact(compaction(await write(store, b"1")))

    assert [b"other"] == await data_of(store, PLANS)


async def test_compaction_of_thousands_of_rows(store: AnyStore) -> None:
    """S4: no limit of parameters stands in the way."""
    await store.append([(NOTES, Entry(b"%d" % number, "alice")) for number in range(40_000)])
    rows = list(await store.load(NOTES))

    assert await store.compact(compaction(rows))

    assert [b"all"] == await data_of(store)


async def test_compaction_that_misses_a_row_changes_nothing(store: AnyStore) -> None:
    """S6: somebody else was quicker."""
    rows = await write(store, b"1", b"2", b"3")
    assert await store.compact(compaction(rows[1:2], b"quicker"))

    assert not await store.compact(replace(compaction(rows, b"slower"), segment=b"segment"))

    assert [b"1", b"3", b"quicker"] == await data_of(store)
    assert [] == list(await store.segments(NOTES))


async def test_compaction_that_names_rows_of_another_document_changes_nothing(store: AnyStore) -> None:
    """S6: a row of another document is missing in this one."""
    others = await write(store, b"other", document=PLANS)
    rows = await write(store, b"1")

    assert not await store.compact(compaction(rows + others))
    assert not await store.compact(compaction(rows, document=DocumentId("never written")))

    assert [b"other"] == await data_of(store, PLANS)
    assert [b"1"] == await data_of(store)


async def test_of_two_compactors_one_wins(store: AnyStore) -> None:
    """S6: both read the same rows; one replaces them, the other says that it didn't."""
    rows = await write(store, b"1", b"2")

    done = await asyncio.gather(store.compact(compaction(rows, b"a")), store.compact(compaction(rows, b"b")))

    assert [False, True] == sorted(done)
    assert 1 == len(await store.load(NOTES))


async def test_appending_while_compacting_loses_nothing(store: AnyStore) -> None:
    """S4: what was appended after the reading survives."""
    rows = await write(store, *(b"old" for _ in range(50)))

    await asyncio.gather(
        *(store.append([(NOTES, Entry(b"new %d" % number, "bob"))]) for number in range(50)),
        store.compact(compaction(rows)),
        *(store.append([(NOTES, Entry(b"late %d" % number, "bob"))]) for number in range(50)),
    )

    expected = {b"all"} | {b"%s %d" % (word, number) for word in (b"new", b"late") for number in range(50)}
    assert expected == set(await data_of(store))
    assert 101 == len(await store.load(NOTES))


async def test_an_id_is_never_used_again(store: AnyStore) -> None:
    """S5: a compactor that is late must not delete a newer row under an old id."""
    rows = await write(store, b"1", b"2", b"3")
    assert await store.compact(compaction(rows, b"first"))
    assert await store.compact(compaction(list(await store.load(NOTES)), b"second"))

    (newest,) = await store.load(NOTES)

    assert newest.id > rows[-1].id + 1
    assert not await store.compact(compaction(rows, b"late"))


NAMES = [
    "caf\u00e9",
    "cafe\u0301",
    "Caf\u00e9",
    "caf\u00e9 ",
    " caf\u00e9",
    "team/caf\u00e9",
    "team//caf\u00e9",
    "🦉",
    "ß",
    "ss",
    "1",
    "01",
    "1.0",
    "%",
    "_",
    "'; DROP TABLE log; --",
    "\t\n",
    "x" * 255,
    "x" * 256,
    "\U0001f989" * 256,
]


async def test_names_are_compared_bytewise(store: AnyStore) -> None:
    """S7: nothing is normalised, folded, trimmed or cut."""
    await store.append([(DocumentId(name), Entry(name.encode(), "alice")) for name in NAMES])

    for name in NAMES:
        assert [name.encode()] == await data_of(store, DocumentId(name))


async def test_a_client_id_belongs_to_its_first_writer(store: AnyStore) -> None:
    """S8: in each document on its own; client ids have up to 53 bits."""
    largest = 2**53 - 1
    await store.append([(NOTES, Entry(b"1", "alice", clients=(0, largest)))])
    await store.append([(NOTES, Entry(b"2", "mallory", clients=(largest, 7))), (PLANS, Entry(b"3", "bob", (largest,)))])

    assert {0: "alice", largest: "alice", 7: "mallory"} == await store.clients(NOTES)
    assert {largest: "bob"} == await store.clients(PLANS)
    assert {} == await store.clients(DocumentId("nobody wrote it"))


async def test_a_client_id_keeps_its_owner_over_compaction(store: AnyStore) -> None:
    """S8: the rows may go, whose the id is stays."""
    await store.append([(NOTES, Entry(b"1", "alice", clients=(1,)))])

    await store.compact(compaction(list(await store.load(NOTES))))

    assert {1: "alice"} == await store.clients(NOTES)


async def test_the_description_counts_rows_and_bytes(store: AnyStore, clock: Clock) -> None:
    """S9: how many, how large, made when, changed when."""
    made_at = clock.now
    rows = await write(store, b"12345")
    await store.compact(compaction(rows, snapshot=b"1234567"))
    clock.now += 60
    await write(store, b"", b"123")

    description = await store.describe(NOTES)

    assert description is not None
    assert (NOTES, made_at, made_at + 60) == (
        description.document,
        description.created_at,
        description.changed_at,
    )
    assert (3, 2) == (description.rows, description.update_rows)
    assert (3, 7) == (description.update_bytes, description.snapshot_bytes)


async def test_a_lineage_is_drawn_once(store: AnyStore) -> None:
    """S9: 128 random bits, the same for as long as the document lives."""
    await write(store, b"1", document=PLANS)
    rows = await write(store, b"1")
    first = await store.describe(NOTES)
    await store.compact(compaction(rows))
    await write(store, b"2")
    then, other = await store.describe(NOTES), await store.describe(PLANS)

    assert first is not None
    assert then is not None
    assert other is not None
    assert first.lineage == then.lineage != other.lineage
    assert 16 == len(bytes.fromhex(first.lineage))


async def test_compaction_keeps_what_it_replaced(store: AnyStore) -> None:
    """S10: segments come back oldest first, each document's own."""
    await add_segment(store, 1.0, 2.0, keyframe=True, data=b"first")
    await add_segment(store, 2.0, 3.5, keyframe=False, data=b"second")

    first, second = await store.segments(NOTES)

    assert (b"first", True, 1.0, 2.0) == (first.data, first.keyframe, first.first_at, first.last_at)
    assert (b"second", False, 2.0, 3.5) == (second.data, second.keyframe, second.first_at, second.last_at)
    assert first.id < second.id
    assert [] == list(await store.segments(PLANS))


async def test_pruning_leaves_what_a_later_state_needs(store: AnyStore) -> None:
    """S12: what stays begins with the newest keyframe that began before the cut."""
    for start, keyframe in [(0, True), (10, False), (20, True), (30, False), (40, True)]:
        await add_segment(store, float(start), start + 9.0, keyframe=keyframe)
    rows = await write(store, b"1", document=PLANS)
    await store.compact(replace(compaction(rows, document=PLANS), segment=b"other", first_at=0.0, created_at=1.0))

    assert 2 == await store.prune(before=35.0)

    assert [20.0, 30.0, 40.0] == [segment.first_at for segment in await store.segments(NOTES)]
    assert 1 == len(await store.segments(PLANS))
    assert 0 == await store.prune(before=35.0)


async def test_a_store_that_works_passes_its_check(store: AnyStore) -> None:
    """S18: nothing is wrong, and checking changes nothing."""
    before = await write(store, b"1")

    await store.check()

    assert before == list(await store.load(NOTES))


async def test_a_closed_store_is_unavailable(store: AnyStore) -> None:
    """S11: closing twice is as good as once."""
    await write(store, b"1")

    await store.close()
    await store.close()

    with pytest.raises(UnavailableError):
        await store.load(NOTES)
    with pytest.raises(UnavailableError):
        await store.append([(NOTES, Entry(b"2", "alice"))])


async def test_a_document_is_created_once(store: AnyStore) -> None:
    """N1: with its first row; a second attempt changes nothing."""
    assert await store.create(NOTES, Entry(b"seed", "alice", (7,)))
    before = await store.describe(NOTES)

    assert not await store.create(NOTES, Entry(b"other", "bob", (8,)))

    assert [b"seed"] == await data_of(store)
    assert {7: "alice"} == await store.clients(NOTES)
    assert before == await store.describe(NOTES)


async def test_a_document_that_was_written_is_not_created(store: AnyStore) -> None:
    """N1: whoever comes second, and however the first came."""
    await write(store, b"typed")

    assert not await store.create(NOTES, Entry(b"seed", "alice"))

    assert [b"typed"] == await data_of(store)


async def test_of_many_that_create_a_document_one_does(store: AnyStore) -> None:
    """N1: the unique key of its name decides."""
    made = await asyncio.gather(*(store.create(NOTES, Entry(bytes((each,)), "alice")) for each in range(20)))

    assert [True] == [each for each in made if each]
    assert [bytes((made.index(True),))] == await data_of(store)


async def test_what_was_created_can_be_written_to(store: AnyStore) -> None:
    """N1: it is a document like others."""
    await store.create(NOTES, Entry(b"seed", "alice"))

    await write(store, b"typed")

    assert [b"seed", b"typed"] == await data_of(store)
