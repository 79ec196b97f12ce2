"""What is known to be deleted, held against a set of clocks (R5 builds on it)."""

from __future__ import annotations

from hypothesis import strategies as st

from collab.core.deletions import DeleteSet
from tests.support.hostile import EXAMPLES, for_all

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
    """R5, G4: equal deletions have one encoding, from which the digest is made."""

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
