"""Segments and the rule of pruning, from many examples."""

import itertools
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import MalformedError, TooLargeError
from collab.store.base import LogRow, RowKind, Segment
from collab.store.history import disposable, pack, unpack

ROWS = st.lists(
    st.builds(
        LogRow,
        id=st.integers(0, 2**63 - 1),
        kind=st.sampled_from(RowKind),
        data=st.binary(max_size=200),
        author=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        created_at=st.floats(allow_nan=False),
        survey=st.none() | st.binary(min_size=1, max_size=20),
    ),
    max_size=20,
)

ROW = LogRow(7, RowKind.UPDATE, b"\x00" * 1000, "alice", 1.5)


@given(ROWS)
def test_a_segment_gives_back_its_rows(rows: list[LogRow]) -> None:
    """S13: equal rows in the same order."""
    assert rows == unpack(pack(rows))


@given(ROWS, st.data())
def test_a_part_of_a_segment_is_refused(rows: list[LogRow], data: st.DataObject) -> None:
    """S13: cut off anywhere."""
    segment = pack(rows)
    length = data.draw(st.integers(0, len(segment) - 1))

    with pytest.raises(MalformedError):
        unpack(segment[:length])


@given(ROWS, st.data())
def test_a_changed_segment_is_refused(rows: list[LogRow], data: st.DataObject) -> None:
    """S13: one bit is enough."""
    segment = bytearray(pack(rows))
    bit = data.draw(st.integers(0, 8 * len(segment) - 1))
    segment[bit // 8] ^= 1 << bit % 8

    # Deflate leaves bits between its last block and the checksum that mean nothing.
    with suppress(MalformedError, TooLargeError):
        assert rows == unpack(bytes(segment))


@given(st.binary(max_size=100))
def test_other_bytes_are_refused(body: bytes) -> None:
    """S13: rows that no release packed, behind a header that is right."""
    segment = b"CH\x01" + len(body).to_bytes(8, "little") + zlib.compress(body)

    with suppress(MalformedError):
        unpack(segment)


def test_a_segment_of_a_newer_format_is_refused() -> None:
    """S13: it says so, and doesn't guess."""
    with pytest.raises(MalformedError, match="unknown format 434802"):
        unpack(b"CH\x02" + pack([ROW])[3:])


def test_bytes_behind_a_segment_are_refused() -> None:
    """S13: nothing is ignored."""
    with pytest.raises(MalformedError):
        unpack(pack([ROW]) + b"\x00")


def test_a_bomb_is_not_unpacked() -> None:
    """S13: neither when its header admits its size nor when it denies it."""
    bomb = zlib.compress(b"\x00" * 10_000_000)

    with pytest.raises(TooLargeError):
        unpack(b"CH\x01" + (10_000_000).to_bytes(8, "little") + bomb, max_bytes=1000)
    with pytest.raises(MalformedError):
        unpack(b"CH\x01" + (1000).to_bytes(8, "little") + bomb, max_bytes=1000)


def test_a_segment_that_could_not_be_unpacked_is_not_packed() -> None:
    """S13: one limit for both."""
    with pytest.raises(TooLargeError):
        pack([ROW], max_bytes=1000)


SEGMENTS = st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 9)), max_size=8).map(
    lambda spans: [
        Segment(number, b"", keyframe, first_at=float(first), last_at=float(first + length))
        for number, (keyframe, first, length) in enumerate(spans)
    ]
)


@given(SEGMENTS, st.integers(0, 20))
def test_what_stays_after_pruning_is_enough(segments: list[Segment], before: int) -> None:
    """S12: it begins with a keyframe that began before the cut, or nothing was deleted."""
    gone = list(disposable(segments, before))
    kept = segments[len(gone) :]

    assert segments == gone + kept
    assert all(segment.last_at < before for segment in gone)
    if gone:
        assert kept[0].keyframe
        assert kept[0].first_at < before


@given(SEGMENTS, st.integers(0, 20))
def test_no_more_than_necessary_stays_after_pruning(segments: list[Segment], before: int) -> None:
    """S12: no later keyframe would do."""
    kept = segments[len(disposable(segments, before)) :]

    ended = list(itertools.takewhile(lambda segment: segment.last_at < before, kept))
    for segment in kept[1 : len(ended) + 1]:
        assert not (segment.keyframe and segment.first_at < before)
