"""What is known to be deleted, held against a set of clocks (R5 builds on it)."""

from __future__ import annotations

from hypothesis import strategies as st

from collab.core.deletions import DeleteSet
from collab.core.wire import Reader, encode_delete_set
from tests.support.hostile import EXAMPLES, for_all
from tests.support.work import counted

SPANS = st.tuples(st.integers(1, 3), st.integers(0, 30), st.integers(1, 8)).map(lambda s: (s[0], s[1], s[1] + s[2]))


def clocks(client: int, start: int, end: int) -> set[tuple[int, int]]:
    return {(client, clock) for clock in range(start, end)}


@EXAMPLES
def test_it_covers_what_was_added_and_nothing_else(examples: int) -> None:
    """R5: an update is known if all its deletions are."""

    @for_all(examples, st.lists(SPANS, max_size=30), st.lists(SPANS, max_size=10))
    def _(added: list[tuple[int, int, int]], asked: list[tuple[int, int, int]]) -> None:
        deleted, model = DeleteSet(), set[tuple[int, int]]()
        for span in added:
            deleted.add(*span)
            model |= clocks(*span)

        for span in added + asked:
            assert (clocks(*span) <= model) == deleted.covers(*span)


@EXAMPLES
def test_its_ranges_are_disjoint_ascending_and_as_few_as_can_be(examples: int) -> None:
    """R5: equal deletions have one encoding, from which the digest is made."""

    @for_all(examples, st.lists(SPANS, max_size=30))
    def _(added: list[tuple[int, int, int]]) -> None:
        deleted = DeleteSet()
        for span in added:
            deleted.add(*span)

        model = set().union(*(clocks(*span) for span in added))
        for client, ranges in deleted.ranges():
            bounds = [bound for span in ranges for bound in span]
            assert sorted(set(bounds)) == bounds, "they overlap, touch or are not in order"
            assert {clock for c, clock in model if c == client} == {k for s, e in ranges for k in range(s, e)}


@EXAMPLES
def test_what_was_read_is_what_was_added(examples: int) -> None:
    """R5: whatever order the ranges stand in, and whether they touch."""

    @for_all(examples, st.lists(SPANS, max_size=30))
    def _(added: list[tuple[int, int, int]]) -> None:
        deleted = DeleteSet()
        spans: dict[int, list[tuple[int, int]]] = {}
        for client, start, end in added:
            deleted.add(client, start, end)
            spans.setdefault(client, []).append((start, end))

        again = DeleteSet.read(Reader(encode_delete_set(spans)))

        assert dict(deleted.ranges()) == dict(again.ranges())
        assert deleted.digest() == again.digest()


def test_reading_does_little_for_each_range() -> None:
    """G5: 200,000 of them stopped the loop for 0.24 s, whenever such a document was first deleted in, or exported."""
    encoded = encode_delete_set({5: [(at, at + 1) for at in range(0, 20_000, 2)]})

    with counted() as work:
        DeleteSet.read(Reader(encoded)).digest()

    assert work.calls < 2 * 20_000


def test_nothing_is_covered_of_a_client_that_deleted_nothing() -> None:
    """R5."""
    deleted = DeleteSet()
    deleted.add(5, 0, 3)

    assert not deleted.covers(6, 0, 1)
    assert [(5, [(0, 3)])] == list(deleted.ranges())


def test_clients_and_clocks_may_be_as_large_as_they_get() -> None:
    """W4: 53 bits and 31."""
    deleted = DeleteSet()
    deleted.add(2**53 - 1, 0, 2**31 - 1)

    assert deleted.covers(2**53 - 1, 2**31 - 2, 2**31 - 1)
